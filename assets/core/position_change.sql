-- A position at two ends of day, side by side, with everything known to have happened between them: fills, splits and adjustments. Today's
-- rows, yesterday's, the fills and the adjustments are joined in full: a join from today's rows alone would lose every close.
with days as (
    select
        account_eod.*,
        before.known_at as prev_known_at
    from core.account_eod
    left join core.account_eod as before
        on account_eod.account_id = before.account_id and account_eod.prev_trading_date = before.trading_date
    where account_eod.trading_date between $from_date and $to_date
),

today as (
    select position_eod.*
    from core.position_eod
    where position_eod.trading_date between $from_date and $to_date and position_eod.instrument_type <> 'CASH'
),

before as (
    select
        days.trading_date as day,
        position_eod.*
    from core.position_eod
    inner join days
        on position_eod.account_id = days.account_id and position_eod.trading_date = days.prev_trading_date
    where
        position_eod.instrument_type <> 'CASH' and position_eod.quantity <> 0
        and position_eod.trading_date >= (select min(prev_trading_date) from days)
),

-- what the day's last snapshot no longer has, as an earlier one of the same day had it
seen_before as (
    select
        earlier.account_id,
        earlier.trading_date,
        positions.instrument_id,
        positions.quantity,
        positions.daily_realized_pnl
    from days
    inner join core.snapshot_grade as earlier
        on
            days.account_id = earlier.account_id
            and days.trading_date = earlier.trading_date
            and days.captured_at > earlier.captured_at
            and earlier.complete and not earlier.rolled and earlier.grade in ('INTRADAY', 'POST_CLOSE')
    inner join before
        on days.account_id = before.account_id and days.trading_date = before.day
    inner join raw.positions as positions
        on
            earlier.run_id = positions.run_id
            and earlier.account_id = positions.account_id
            and before.instrument_id = positions.instrument_id
    anti join today
        on
            before.account_id = today.account_id
            and before.day = today.trading_date
            and before.instrument_id = today.instrument_id
    qualify row_number() over (
        partition by earlier.account_id, earlier.trading_date, positions.instrument_id
        order by earlier.captured_at desc, earlier.run_id desc
    ) = 1
),

-- flat by then: what it had realized is known. One that was still open says nothing of how it ended.
seen_flat as (
    select * from seen_before where quantity = 0 and daily_realized_pnl is not null
),

splits_observed as (
    select
        instrument_id,
        event_date,
        numerator,
        denominator
    from raw.corporate_events
    where event_type = 'STOCK_SPLIT' and numerator > 0 and denominator > 0
    qualify row_number() over (partition by instrument_id, event_date, sequence order by run_id desc) = 1
),

-- a fill before a split that the same row covers counts in the shares of after it
later_splits as (
    select
        days.account_id,
        days.trading_date as day,
        trade_flow.instrument_id,
        trade_flow.trading_date,
        exp(sum(ln(cast(splits_observed.numerator as double)) - ln(cast(splits_observed.denominator as double))))
            as ratio
    from core.trade_flow
    inner join days
        on
            trade_flow.account_id = days.account_id
            and trade_flow.trading_date < days.trading_date
            and trade_flow.trading_date > days.prev_trading_date
    inner join splits_observed
        on
            trade_flow.instrument_id = splits_observed.instrument_id
            and splits_observed.event_date > trade_flow.trading_date
            and splits_observed.event_date <= days.trading_date
    where trade_flow.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from days)
    group by days.account_id, days.trading_date, trade_flow.instrument_id, trade_flow.trading_date
),

trades as (
    select
        days.account_id,
        days.trading_date,
        trade_flow.instrument_id,
        max(trade_flow.symbol) as symbol,
        max(trade_flow.underlying_instrument_id) as underlying_instrument_id,
        sum(trade_flow.fills) as fills,
        sum(trade_flow.unpriced_fills) as unpriced_fills,
        -- a day whose fills no column could hold makes the sum unknown, not smaller
        case
            when
                bool_and(
                    trade_flow.net_quantity is not null
                    and coalesce(abs(cast(trade_flow.net_quantity as double) * later_splits.ratio) < 1e15, true)
                )
                then try_cast(sum(
                    case
                        when later_splits.ratio is null then trade_flow.net_quantity
                        else try_cast(
                            round(cast(trade_flow.net_quantity as double) * later_splits.ratio, 8) as decimal(24, 8)
                        )
                    end
                ) as decimal(24, 8))
        end as net_quantity,
        try_cast(sum(trade_flow.bought_quantity) as decimal(24, 8)) as bought_quantity,
        try_cast(sum(trade_flow.sold_quantity) as decimal(24, 8)) as sold_quantity,
        try_cast(sum(trade_flow.bought_per_share) as decimal(28, 10)) as bought_per_share,
        try_cast(sum(trade_flow.sold_per_share) as decimal(28, 10)) as sold_per_share,
        max(trade_flow.known_at) as known_at
    from core.trade_flow
    inner join days
        on
            trade_flow.account_id = days.account_id
            and trade_flow.trading_date <= days.trading_date
            and trade_flow.trading_date > coalesce(days.prev_trading_date, days.trading_date - 1)
    left join later_splits
        on
            trade_flow.account_id = later_splits.account_id
            and trade_flow.instrument_id = later_splits.instrument_id
            and trade_flow.trading_date = later_splits.trading_date
            and days.trading_date = later_splits.day
    where trade_flow.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from days)
    group by days.account_id, days.trading_date, trade_flow.instrument_id
),

-- what people said of a day that nobody fetched counts on the next known one
said as (
    select
        days.trading_date as day,
        position_adjustment.*
    from core.position_adjustment
    inner join days
        on
            position_adjustment.account_id = days.account_id
            and position_adjustment.trading_date <= days.trading_date
            and position_adjustment.trading_date > coalesce(days.prev_trading_date, days.trading_date - 1)
    where position_adjustment.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from days)
),

-- an id change leaves one instrument and enters another, at yesterday's value and cost
moves as (
    select
        account_id,
        day as trading_date,
        kind,
        instrument_id,
        quantity,
        cash,
        value,
        coalesce(cost_basis, 0) as cost_basis
    from said
    where kind <> 'ID_CHANGE'
    union all
    select
        said.account_id,
        said.day,
        said.kind,
        leg.instrument_id,
        leg.direction * before.quantity,
        0,
        leg.direction * before.market_value,
        leg.direction * before.cost_basis
    from said
    inner join before
        on
            said.account_id = before.account_id
            and said.day = before.day
            and said.instrument_id = before.instrument_id
    cross join
        lateral (
            select said.instrument_id, -1 as direction
            union all
            select said.to_instrument_id, 1
        ) as leg
    where said.kind = 'ID_CHANGE'
),

adjustments as (
    select
        account_id,
        trading_date,
        instrument_id,
        cast(sum(coalesce(quantity, 0)) as decimal(24, 8)) as quantity,
        cast(sum(coalesce(cash, 0)) as decimal(28, 10)) as cash,
        cast(sum(coalesce(value, 0)) as decimal(28, 10)) as value,
        cast(case when bool_and(cost_basis is not null) then sum(cost_basis) end as decimal(28, 10)) as cost_basis,
        cast(sum(case when kind = 'TRANSFER' then coalesce(value, 0) else 0 end) as decimal(28, 10))
            as transferred_value,
        bool_or(kind = 'CASH_IN_LIEU' and quantity is null) as pays_a_fraction,
        max(kind) as kind
    from moves
    group by account_id, trading_date, instrument_id
),

splits as (
    select
        before.account_id,
        before.day,
        before.instrument_id,
        try_cast(round(exp(sum(ln(cast(splits_observed.numerator as double)))), 6) as decimal(12, 6)) as numerator,
        try_cast(round(exp(sum(ln(cast(splits_observed.denominator as double)))), 6) as decimal(12, 6)) as denominator
    from before
    inner join splits_observed
        on
            before.instrument_id = splits_observed.instrument_id
            and splits_observed.event_date > before.trading_date
            and splits_observed.event_date <= before.day
    group by before.account_id, before.day, before.instrument_id
),

contracts as (
    select * from raw.option_contracts
    qualify row_number() over (partition by id order by run_id desc) = 1
),

-- where an option has expired its underlying may have come and gone for strike cash, though nobody saw a share
delivered_to as (
    select
        account_id,
        day as trading_date,
        underlying_instrument_id as instrument_id,
        -- an option's symbol begins with that of its underlying
        max(nullif(regexp_extract(symbol, '^([A-Z0-9./]{1,6}) *[0-9]{6}[CP][0-9]{8}$', 1), '')) as symbol
    from before
    where instrument_type = 'OPTION' and underlying_instrument_id is not null and option_expiry <= day
    group by account_id, day, underlying_instrument_id
),

-- what happened to instruments, held on one of the two evenings or not
happened as (
    select account_id, trading_date, instrument_id from trades
    union
    select account_id, trading_date, instrument_id from adjustments
    union
    select account_id, trading_date, instrument_id from delivered_to
),

paired as (
    select
        days.account_id,
        coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) as instrument_id,
        days.trading_date,
        days.run_id,
        days.prev_trading_date,
        days.days_covered,
        days.executions_loaded,
        days.instructions_loaded,
        days.captured_at,
        days.known_at,
        days.prev_known_at,
        trades.known_at as trades_known_at,
        coalesce(today.symbol, before.symbol, trades.symbol, delivered_to.symbol) as symbol,
        before.symbol as symbol_prev,
        coalesce(today.underlying_instrument_id, before.underlying_instrument_id, trades.underlying_instrument_id)
            as underlying_instrument_id,
        coalesce(
            today.instrument_type,
            before.instrument_type,
            case when contracts.id is not null or trades.underlying_instrument_id is not null then 'OPTION' end
        ) as instrument_type,
        coalesce(today.option_expiry, before.option_expiry) as option_expiry,
        coalesce(today.option_strike, before.option_strike) as option_strike,
        coalesce(today.option_right, before.option_right) as option_right,
        -- a row that went flat implies no multiplier of its own; of an option that no snapshot ever held its contract
        -- tells it, else it is the usual one (a fill tells an option by its underlying, or by its symbol)
        coalesce(
            case when today.quantity <> 0 then today.multiplier end,
            before.multiplier,
            today.multiplier,
            try_cast(contracts.multiplier as decimal(12, 4)),
            case
                when
                    trades.underlying_instrument_id is not null
                    or regexp_matches(trades.symbol, '^[A-Z0-9./]{1,6} *[0-9]{6}[CP][0-9]{8}$')
                    then 100
                else 1
            end
        ) as multiplier,
        coalesce(today.quantity, 0) as quantity,
        case when today.instrument_id is null then 0 else today.market_value end as market_value,
        case when today.instrument_id is null then 0 else today.cost_basis end as cost_basis,
        case when today.instrument_id is null then 0 else today.unrealized_pnl end as unrealized_pnl,
        case when today.quantity <> 0 then today.value_recalc end as value_recalc,
        today.eod_price,
        today.price_grade,
        coalesce(today.daily_realized_pnl, seen_flat.daily_realized_pnl) as daily_realized_pnl,
        seen_flat.instrument_id is not null as seen_flat,
        today.daily_unrealized_pnl,
        coalesce(before.quantity, 0) as quantity_prev,
        case when before.instrument_id is null then 0 else before.market_value end as market_value_prev,
        case when before.instrument_id is null then 0 else before.cost_basis end as cost_basis_prev,
        case when before.instrument_id is null then 0 else before.unrealized_pnl end as unrealized_pnl_prev,
        before.value_recalc as value_recalc_prev,
        before.eod_price as sod_price,
        coalesce(splits.numerator, 1) as split_numerator,
        coalesce(splits.denominator, 1) as split_denominator,
        coalesce(trades.fills, 0) as fills,
        coalesce(trades.unpriced_fills, 0) as unpriced_fills,
        case when trades.instrument_id is null then 0 else trades.net_quantity end as traded_quantity,
        case when trades.instrument_id is null then 0 else trades.bought_quantity end as bought_quantity,
        case when trades.instrument_id is null then 0 else trades.sold_quantity end as sold_quantity,
        case when trades.instrument_id is null then 0 else trades.bought_per_share end as bought_per_share,
        case when trades.instrument_id is null then 0 else trades.sold_per_share end as sold_per_share,
        coalesce(adjustments.quantity, 0) as said_quantity,
        coalesce(adjustments.pays_a_fraction, false) as pays_a_fraction,
        coalesce(adjustments.cash, 0) as adjusted_cash,
        coalesce(adjustments.value, 0) as adjusted_value,
        case when adjustments.instrument_id is null then 0 else adjustments.cost_basis end as adjusted_cost_basis,
        coalesce(adjustments.transferred_value, 0) as transferred_value,
        adjustments.kind as adjustment_kind,
        delivered_to.instrument_id is not null as may_be_delivered
    from today
    full join before
        on
            today.account_id = before.account_id
            and today.trading_date = before.day
            and today.instrument_id = before.instrument_id
    full join happened
        on
            happened.account_id = coalesce(today.account_id, before.account_id)
            and happened.trading_date = coalesce(today.trading_date, before.day)
            and happened.instrument_id = coalesce(today.instrument_id, before.instrument_id)
    inner join days
        on
            days.account_id = coalesce(today.account_id, before.account_id, happened.account_id)
            and days.trading_date = coalesce(today.trading_date, before.day, happened.trading_date)
    left join trades
        on
            days.account_id = trades.account_id
            and days.trading_date = trades.trading_date
            and coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) = trades.instrument_id
    left join adjustments
        on
            days.account_id = adjustments.account_id
            and days.trading_date = adjustments.trading_date
            and coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) = adjustments.instrument_id
    left join splits
        on
            days.account_id = splits.account_id
            and days.trading_date = splits.day
            and coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) = splits.instrument_id
    left join delivered_to
        on
            days.account_id = delivered_to.account_id
            and days.trading_date = delivered_to.trading_date
            and coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) = delivered_to.instrument_id
    left join seen_flat
        on
            days.account_id = seen_flat.account_id
            and days.trading_date = seen_flat.trading_date
            and coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) = seen_flat.instrument_id
    left join contracts on coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) = contracts.id
),

resized as (
    select
        *,
        case
            when split_numerator = split_denominator then quantity_prev
            else try_cast(round(
                cast(quantity_prev as double) * cast(split_numerator as double)
                / cast(split_denominator as double), 8
            ) as decimal(24, 8))
        end as quantity_prev_split
    from paired
    -- a purged zero-quantity row is not a second close
    where
        quantity <> 0 or quantity_prev <> 0 or fills > 0 or adjustment_kind is not null
        or coalesce(daily_realized_pnl, 0) <> 0 or may_be_delivered
)

select
    *,
    -- cash in lieu is paid for the part of a share that is missing
    case
        when
            pays_a_fraction
            and abs(quantity - quantity_prev_split - traded_quantity - said_quantity) < 1
            and sign(quantity - quantity_prev_split - traded_quantity - said_quantity) = -sign(quantity_prev)
            then try_cast(quantity - quantity_prev_split - traded_quantity as decimal(24, 8))
        else said_quantity
    end as adjusted_quantity
from resized
