-- What became of positions without a trade: options exercised, assigned, expired or let lapse, linked to the instruction that asked for it
-- (accepted_quantity counts, not what was asked for), and stock splits. Strike cash and the premium that rolls into the stock come from
-- here. What can't be told apart is no event: the position's P&L stays unknown until someone says (adjustments.csv).
with changes as (
    select
        *,
        -- what left or arrived unexplained, after splits, fills and adjustments; signed like a quantity
        quantity - quantity_prev_split - traded_quantity - adjusted_quantity as unexplained
    from position_change
    where trading_date between $from_date and $to_date
),

sessions as (
    select trading_date, session_number from core.calendar
),

gone as (
    select
        changes.account_id,
        changes.trading_date,
        changes.prev_trading_date,
        changes.instrument_id,
        changes.symbol,
        changes.underlying_instrument_id,
        changes.option_expiry,
        changes.option_strike,
        changes.option_right,
        changes.multiplier,
        changes.quantity,
        changes.quantity_prev,
        changes.traded_quantity,
        changes.market_value_prev,
        changes.cost_basis_prev,
        changes.cost_basis,
        changes.captured_at,
        changes.executions_loaded,
        -- signed like the position: long contracts that went are positive
        -changes.unexplained as contracts,
        coalesce(changes.option_expiry <= changes.trading_date, false) as expired,
        -- nobody can trade an option after its last session, so one that was still held at its close has not been sold
        coalesce(changes.option_expiry <= changes.trading_date, false)
        and not exists (
            select 1 from core.calendar
            where
                calendar.trading_date > changes.prev_trading_date
                and calendar.trading_date <= changes.option_expiry
        ) as untradable_since
    from changes
    where
        changes.instrument_type = 'OPTION' and changes.prev_trading_date is not null
        and changes.unexplained <> 0
        and sign(changes.unexplained) = -sign(changes.quantity_prev)
        and abs(changes.unexplained) <= abs(changes.quantity_prev)
),

instructions_observed as (
    select
        observed.account_id,
        observed.id,
        observed.instrument_id,
        observed.instruction_type,
        observed.status,
        observed.accepted_quantity,
        observed.updated_at,
        observed.client_instruction_id,
        min(run.finished_at) as known_at
    from raw.position_instructions as observed
    inner join core.run on observed.run_id = run.run_id
    where run.trading_date >= $from_date - 21
    group by all
),

accepted as (
    select * from instructions_observed
    where status = 'ACCEPTED' and accepted_quantity > 0
    qualify row_number() over (partition by account_id, id order by known_at desc) = 1
),

-- an instruction is spent on the first evening that shows fewer contracts than the last one before it was accepted
-- did (or the first of all, where the books begin later than that)
evenings as (
    select
        accepted.account_id,
        accepted.id,
        account_eod.trading_date,
        account_eod.captured_at >= accepted.updated_at as is_after,
        coalesce(position_eod.quantity, 0) as quantity
    from accepted
    inner join core.account_eod on accepted.account_id = account_eod.account_id
    left join core.position_eod
        on
            account_eod.account_id = position_eod.account_id
            and account_eod.trading_date = position_eod.trading_date
            and accepted.instrument_id = position_eod.instrument_id
    where account_eod.trading_date between $from_date - 31 and $to_date
),

spent as (
    select
        later.account_id,
        later.id,
        min(later.trading_date) as trading_date
    from evenings as later
    inner join (
        select * from evenings
        qualify row_number() over (
            partition by account_id, id
            order by is_after, case when is_after then trading_date end, trading_date desc
        ) = 1
    ) as last_before on later.account_id = last_before.account_id and later.id = last_before.id
    where
        later.is_after and later.trading_date > last_before.trading_date
        and later.quantity < last_before.quantity
    group by later.account_id, later.id
),

-- one accepted instruction of each kind for each position; several add up
instructed as (
    select
        gone.account_id,
        gone.trading_date,
        gone.instrument_id,
        case accepted.instruction_type when 'CONTRARY_EXERCISE' then 'EXERCISE' else accepted.instruction_type end
            as instruction_type,
        max(accepted.client_instruction_id) as instruction_id,
        try_cast(sum(accepted.accepted_quantity) as decimal(24, 8)) as accepted_quantity,
        max(accepted.known_at) as known_at
    from gone
    inner join accepted
        on gone.account_id = accepted.account_id and gone.instrument_id = accepted.instrument_id
    left join spent on accepted.account_id = spent.account_id and accepted.id = spent.id
    inner join sessions as before on gone.prev_trading_date = before.trading_date
    inner join core.calendar as earliest on earliest.session_number = before.session_number - 5
    where
        accepted.updated_at <= gone.captured_at and accepted.updated_at > earliest.post_close
        and coalesce(spent.trading_date >= gone.trading_date, true)
    group by all
),

stock as (
    select
        account_id,
        trading_date,
        instrument_id,
        unexplained,
        cost_basis,
        cost_basis_prev,
        quantity,
        quantity_prev,
        fills,
        adjusted_quantity,
        coalesce(eod_price, sod_price) as price
    from changes
    where instrument_type is distinct from 'OPTION'
),

underlying_prices as (
    select
        instrument_id,
        trading_date,
        max(eod_price) as price
    from core.position_eod
    where
        instrument_type <> 'OPTION' and instrument_type <> 'CASH'
        and trading_date between $from_date - 14 and $to_date
    group by instrument_id, trading_date
),

sided as (
    select
        gone.*,
        exercise.instruction_id as exercise_id,
        exercise.known_at as exercise_known_at,
        coalesce(exercise.accepted_quantity, 0) as exercise_quantity,
        lapse.instruction_id as lapse_id,
        lapse.known_at as lapse_known_at,
        coalesce(stock.unexplained, 0) as stock_move,
        stock.instrument_id is not null as stock_known,
        case gone.option_right when 'CALL' then 1 when 'PUT' then -1 end as direction,
        case gone.option_right
            when 'CALL' then coalesce(at_expiry.price, at_last.price, stock.price) > gone.option_strike
            when 'PUT' then coalesce(at_expiry.price, at_last.price, stock.price) < gone.option_strike
        end as in_the_money
    from gone
    left join instructed as exercise
        on
            gone.account_id = exercise.account_id
            and gone.trading_date = exercise.trading_date
            and gone.instrument_id = exercise.instrument_id
            and exercise.instruction_type = 'EXERCISE'
            and gone.contracts > 0
    left join instructed as lapse
        on
            gone.account_id = lapse.account_id
            and gone.trading_date = lapse.trading_date
            and gone.instrument_id = lapse.instrument_id
            and lapse.instruction_type = 'DO_NOT_EXERCISE'
            and gone.contracts > 0
    left join stock
        on
            gone.account_id = stock.account_id
            and gone.trading_date = stock.trading_date
            and gone.underlying_instrument_id = stock.instrument_id
    left join underlying_prices as at_expiry
        on
            gone.underlying_instrument_id = at_expiry.instrument_id
            and at_expiry.trading_date
            = case
                when gone.expired then least(greatest(gone.prev_trading_date, gone.option_expiry), gone.trading_date)
                else gone.trading_date
            end
    left join underlying_prices as at_last
        on
            gone.underlying_instrument_id = at_last.instrument_id
            and at_last.trading_date = gone.prev_trading_date and gone.expired
),

-- first the contracts that an accepted instruction accounts for
with_instructed as (
    select
        *,
        least(exercise_quantity, contracts) * case when contracts > 0 then 1 else 0 end as instructed_contracts
    from sided
),

remaining as (
    select
        *,
        contracts - instructed_contracts as rest,
        try_cast(direction * instructed_contracts * multiplier as decimal(24, 8)) as instructed_move,
        -- a long option that is gone before its expiry may have been sold, where nobody knows the fills
        try_cast(
            case when contracts < 0 or expired or executions_loaded then direction else 0 end
            * (contracts - instructed_contracts) * multiplier as decimal(24, 8)
        ) as rest_move
    from with_instructed
),

-- then what the stock's own move says of the others: all of them, those in the money, or just one
weighed as (
    select
        *,
        stock_move - sum(instructed_move) over same_stock as unexplained_move,
        sum(rest_move) over same_stock as all_moves,
        sum(case when in_the_money and lapse_id is null then rest_move else 0 end) over same_stock as money_moves,
        expired and (executions_loaded or untradable_since) as surely_expired,
        sum(
            case
                when in_the_money and lapse_id is null and expired and (executions_loaded or untradable_since)
                    then rest_move
                else 0
            end
        ) over same_stock as settled_moves
    from remaining
    window same_stock as (partition by account_id, trading_date, underlying_instrument_id)
),

matched as (
    select
        *,
        sum(case when rest <> 0 and rest_move = unexplained_move then 1 else 0 end)
            over (partition by account_id, trading_date, underlying_instrument_id) as single_matches
    from weighed
),

delivered as (
    select
        *,
        case
            when rest = 0 or rest_move = 0 then false
            -- a spread in the money on both legs delivers to itself: no share of it stays
            when unexplained_move = 0
                then settled_moves = 0 and surely_expired and coalesce(in_the_money, false) and lapse_id is null
            when money_moves = unexplained_move then coalesce(in_the_money, false) and lapse_id is null
            when single_matches = 1 then rest_move = unexplained_move
            when all_moves = unexplained_move then true
            else false
        end as rest_delivered,
        coalesce(
            unexplained_move = 0 or money_moves = unexplained_move or single_matches = 1
            or all_moves = unexplained_move, false
        ) as stock_explained
    from matched
),

classified as (
    select
        *,
        'EXERCISE' as kind,
        instructed_contracts as event_contracts,
        exercise_id as instruction_id,
        'INSTRUCTED' as confidence,
        'accepted instruction' as evidence,
        exercise_known_at as evidence_known_at
    from delivered
    where instructed_contracts > 0
    union all
    select
        *,
        case when contracts > 0 then 'EXERCISE' else 'ASSIGNMENT' end,
        rest,
        null,
        'INFERRED',
        'the underlying moved by contracts x multiplier',
        null
    from delivered
    where rest <> 0 and rest_delivered
    union all
    select
        *,
        'EXPIRY',
        rest,
        lapse_id,
        case when lapse_id is null then 'INFERRED' else 'INSTRUCTED' end,
        case when lapse_id is null then 'expired, and the underlying did not move' else 'accepted instruction' end,
        lapse_known_at
    from delivered
    where
        rest <> 0 and not rest_delivered and surely_expired
        -- the stock may have moved for reasons of its own, but nobody delivers it for what closed out of the money
        and (stock_explained or (untradable_since and not in_the_money))
),

-- the whole position went without a trade: its value and cost are exact; a part of it is taken pro rata, to the millionth
valued as (
    select
        *,
        case
            when quantity = 0 and traded_quantity = 0 and event_contracts = quantity_prev then market_value_prev
            else try_cast(round(
                cast(market_value_prev as double) * cast(event_contracts as double) / cast(quantity_prev as double), 6
            ) as decimal(28, 10))
        end as value_gone,
        case
            when traded_quantity = 0 and event_contracts = quantity_prev - quantity then cost_basis_prev - cost_basis
            else try_cast(round(
                cast(cost_basis_prev as double) * cast(event_contracts as double) / cast(quantity_prev as double), 6
            ) as decimal(28, 10))
        end as basis_gone,
        -direction * value_of(event_contracts, option_strike, multiplier) as strike_cash
    from classified
),

-- premium rolls into the stock (the statement convention) unless the stock's own reported basis shows the strike alone
treated as (
    select
        valued.*,
        case
            when valued.kind = 'EXPIRY' then null
            when
                stock.instrument_id is not null and stock.fills = 0 and stock.adjusted_quantity = 0
                and stock.quantity <> 0
                and sign(stock.quantity) = sign(stock.quantity - stock.quantity_prev)
                and (stock.quantity_prev = 0 or sign(stock.quantity_prev) = sign(stock.quantity))
                -- nearer to the strike than to strike and premium; where nobody knows the premium, the strike to the cent
                and abs(
                    stock.cost_basis - stock.cost_basis_prev + sum(valued.strike_cash) over same_stock
                ) < coalesce(
                    abs(
                        stock.cost_basis - stock.cost_basis_prev + sum(valued.strike_cash) over same_stock
                        - sum(valued.basis_gone) over same_stock
                    ),
                    0.01
                )
                then 'CLOSE_AT_ZERO'
            else 'ROLL'
        end as premium_treatment
    from valued
    left join stock
        on
            valued.account_id = stock.account_id
            and valued.trading_date = stock.trading_date
            and valued.underlying_instrument_id = stock.instrument_id
    window same_stock as (
        partition by
            valued.account_id, valued.trading_date, valued.underlying_instrument_id,
            case when valued.kind = 'EXPIRY' then 0 else 1 end
    )
)

select
    account_id,
    instrument_id,
    trading_date,
    kind,
    least(coalesce(option_expiry, trading_date), trading_date) as event_date,
    symbol,
    underlying_instrument_id,
    cast(abs(event_contracts) as decimal(24, 8)) as contracts,
    option_strike as strike,
    cast(multiplier as decimal(12, 4)) as multiplier,
    cast(-event_contracts as decimal(24, 8)) as quantity_moved,
    try_cast(case when kind = 'EXPIRY' then 0 else direction * event_contracts * multiplier end as decimal(24, 8))
        as underlying_quantity_moved,
    case when kind = 'EXPIRY' then 0 else strike_cash end as cash,
    cast(case when premium_treatment = 'ROLL' then value_gone else 0 end as decimal(28, 10)) as value_moved,
    cast(case when premium_treatment = 'ROLL' then basis_gone else 0 end as decimal(28, 10)) as basis_moved,
    premium_treatment,
    instruction_id,
    confidence,
    evidence,
    cast(null as decimal(12, 6)) as numerator,
    cast(null as decimal(12, 6)) as denominator,
    evidence_known_at
from treated
union all
select
    account_id,
    instrument_id,
    trading_date,
    'SPLIT',
    trading_date,
    symbol,
    underlying_instrument_id,
    cast(abs(quantity_prev) as decimal(24, 8)),
    null,
    multiplier,
    try_cast(quantity_prev_split - quantity_prev as decimal(24, 8)),
    0,
    0,
    0,
    0,
    null,
    null,
    'INFERRED',
    'corporate event of the broker',
    split_numerator,
    split_denominator,
    null
from changes
where split_numerator <> split_denominator
union all
-- what people said; position_daily takes it from the adjustments themselves
select
    account_id,
    instrument_id,
    trading_date,
    kind,
    trading_date,
    null,
    null,
    cast(abs(quantity) as decimal(24, 8)),
    null,
    null,
    quantity,
    null,
    cash,
    value,
    cost_basis,
    null,
    null,
    'MANUAL',
    concat_ws(': ', author, note),
    null,
    null,
    null
from core.position_adjustment
where trading_date between $from_date and $to_date
