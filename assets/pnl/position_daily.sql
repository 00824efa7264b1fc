-- Daily P&L of every position: realized against cost, change of unrealized, their total, and the same total split into carried position and
-- day's trading. The best source that the day allows is used and named; what nobody can know is null with a flag, never zero.
with events as (
    select * from core.lifecycle_event
    where trading_date between $from_date and $to_date and kind in ('EXERCISE', 'ASSIGNMENT', 'EXPIRY')
),

-- an option's event has two legs: the contracts that went, and the underlying that moved for strike cash
legs as (
    select
        account_id, trading_date, instrument_id,
        quantity_moved,
        cast(0 as decimal(28, 10)) as cash,
        -value_moved as value_moved,
        -basis_moved as basis_moved,
        case
            when kind = 'EXPIRY' and instruction_id is not null then 'LAPSED_BY_INSTRUCTION'
            when kind = 'EXPIRY' then 'EXPIRED_WORTHLESS'
            when kind = 'ASSIGNMENT' then 'ASSIGNED_INFERRED'
            else 'EXERCISED'
        end as flag,
        kind,
        evidence_known_at
    from events
    union all
    select
        account_id, trading_date, underlying_instrument_id,
        underlying_quantity_moved, cash, value_moved, basis_moved,
        case kind when 'ASSIGNMENT' then 'FROM_ASSIGNMENT' else 'FROM_EXERCISE' end,
        kind,
        evidence_known_at
    from events
    where kind <> 'EXPIRY'
),

lifecycle as (
    select
        account_id, trading_date, instrument_id,
        try_cast(sum(quantity_moved) as decimal(24, 8)) as quantity,
        try_cast(sum(cash) as decimal(28, 10)) as cash,
        try_cast(sum(value_moved) as decimal(28, 10)) as value_moved,
        -- a cost that is unknown on one leg is unknown in the sum
        try_cast(case when bool_and(basis_moved is not null) then sum(basis_moved) end as decimal(28, 10)) as basis_moved,
        max(flag) as flag,
        bool_and(kind = 'EXPIRY') as only_expiry,
        max(evidence_known_at) as known_at
    from legs
    group by account_id, trading_date, instrument_id
),

dividends_observed as (
    select
        instrument_id, event_date, dividend_amount
    from raw.corporate_events
    where event_type = 'DIVIDEND' and dividend_amount is not null
    qualify row_number() over (partition by instrument_id, event_date, sequence order by run_id desc) = 1
),

dividends as (
    select
        changes.account_id, changes.trading_date, changes.instrument_id,
        -- what was held when the first snapshot was taken says nothing of the evening before
        try_cast(sum(try(
            case when changes.prev_trading_date is not null then changes.quantity_prev end
            * dividends_observed.dividend_amount
        )) as decimal(28, 10)) as income_estimate
    from position_change as changes
    inner join dividends_observed
        on
            changes.instrument_id = dividends_observed.instrument_id
            and dividends_observed.event_date > coalesce(changes.prev_trading_date, changes.trading_date - 1)
            and dividends_observed.event_date <= changes.trading_date
    group by changes.account_id, changes.trading_date, changes.instrument_id
),

-- a position that vanished has no price of its own; the day's price of the same instrument in another account will do
other_prices as (
    select
        vanished.account_id, vanished.trading_date, vanished.instrument_id,
        max(position_eod.eod_price) as eod_price
    from position_change as vanished
    inner join core.position_eod
        on vanished.instrument_id = position_eod.instrument_id and vanished.trading_date = position_eod.trading_date
    where
        vanished.eod_price is null and position_eod.price_grade = 'OFFICIAL'
        and position_eod.trading_date between $from_date and $to_date
    group by vanished.account_id, vanished.trading_date, vanished.instrument_id
),

moved as (
    select
        changes.*,
        changes.prev_trading_date is null as is_opening,
        -- nothing happened, or what no column could hold: the one is zero, the other unknown
        case when lifecycle.instrument_id is null then 0 else lifecycle.quantity end + changes.adjusted_quantity
            as moved_quantity,
        case when lifecycle.instrument_id is null then 0 else lifecycle.cash end + changes.adjusted_cash as moved_cash,
        case when lifecycle.instrument_id is null then 0 else lifecycle.value_moved end + changes.adjusted_value
            as moved_value,
        case when lifecycle.instrument_id is null then 0 else lifecycle.basis_moved end + changes.adjusted_cost_basis
            as moved_basis,
        lifecycle.flag as lifecycle_flag,
        coalesce(lifecycle.only_expiry, false) as only_expiry,
        lifecycle.known_at as lifecycle_known_at,
        case when dividends.instrument_id is null then 0 else dividends.income_estimate end as income_estimate,
        -- what expired is worth nothing, whatever price its row still shows
        case when lifecycle.only_expiry then 0 else coalesce(changes.eod_price, other_prices.eod_price) end as price,
        value_of(1, changes.sold_per_share - changes.bought_per_share, changes.multiplier) as trade_cash,
        -- the broker's daily figures count only both together; a row that is flat has nothing left to be unrealized
        case
            when changes.daily_unrealized_pnl is not null or changes.quantity = 0
                then changes.daily_realized_pnl
        end as reported_realized,
        case
            when changes.daily_realized_pnl is not null
                then coalesce(changes.daily_unrealized_pnl, case when changes.quantity = 0 then 0 end)
        end as reported_unrealized
    from position_change as changes
    left join lifecycle
        on
            changes.account_id = lifecycle.account_id
            and changes.trading_date = lifecycle.trading_date
            and changes.instrument_id = lifecycle.instrument_id
    left join dividends
        on
            changes.account_id = dividends.account_id
            and changes.trading_date = dividends.trading_date
            and changes.instrument_id = dividends.instrument_id
    left join other_prices
        on
            changes.account_id = other_prices.account_id
            and changes.trading_date = other_prices.trading_date
            and changes.instrument_id = other_prices.instrument_id
    -- an underlying that could have been delivered, and was not, is no row
    where
        changes.quantity <> 0 or changes.quantity_prev <> 0 or changes.fills > 0
        or changes.adjustment_kind is not null or coalesce(changes.daily_realized_pnl, 0) <> 0
        or lifecycle.instrument_id is not null
),

rolled as (
    select
        *,
        -- what must have been traded for the quantities to agree
        quantity - quantity_prev_split - moved_quantity as implied_trade,
        quantity - quantity_prev_split - moved_quantity = traded_quantity as quantities_agree,
        -- cost unchanged while the quantity jumped: a split that nobody announced
        quantity <> quantity_prev and traded_quantity = 0 and moved_quantity = 0 and quantity_prev <> 0
        and quantity_prev_split <> quantity and sign(quantity) = sign(quantity_prev)
        and cost_basis = cost_basis_prev as split_suspected,
        unrealized_pnl - unrealized_pnl_prev - (moved_value - moved_basis) as unrealized_step,
        cost_basis - cost_basis_prev - moved_basis as basis_step
    from moved
),

readings as (
    select
        account_id, trading_date,
        count(*) filter (
            where reported_realized is null or reported_unrealized is null or unrealized_step is null
        ) as unreadable,
        count(*) as positions,
        sum(reported_realized + unrealized_step) as since_cost,
        sum(reported_realized + reported_unrealized) as since_prior_close
    from rolled
    where not is_opening
    group by account_id, trading_date
),

broker_totals as (
    select * from core.broker_day
    where trading_date between $from_date and $to_date
),

-- which reading of daily_realized_pnl agrees with the account's own total: balances first, then portfolio-history
semantics as (
    select
        account_id, trading_date,
        case
            when $realized <> 'auto' then $realized
            when by_balances is not null then by_balances
            when by_history is not null then by_history
            else 'since_prior_close'
        end as pnl_semantics,
        case
            when $realized <> 'auto' then 'SETTING'
            when by_balances is not null then 'BALANCES'
            when by_history is not null then 'PORTFOLIO_HISTORY'
            else 'DEFAULT'
        end as semantics_source
    from (
        select
            account_eod.account_id,
            account_eod.trading_date,
            case
                when readings.unreadable > 0 or readings.since_cost = readings.since_prior_close then null
                when
                    abs(readings.since_cost - broker_totals.balance_pnl) <= greatest(0.05, 0.01 * positions)
                    and abs(readings.since_prior_close - broker_totals.balance_pnl)
                    > greatest(0.05, 0.01 * positions) then 'since_cost'
                when
                    abs(readings.since_prior_close - broker_totals.balance_pnl) <= greatest(0.05, 0.01 * positions)
                    and abs(readings.since_cost - broker_totals.balance_pnl)
                    > greatest(0.05, 0.01 * positions) then 'since_prior_close'
            end as by_balances,
            case
                when readings.unreadable > 0 or readings.since_cost = readings.since_prior_close then null
                when
                    abs(readings.since_cost - broker_totals.gross_pnl) <= greatest(0.05, 0.01 * positions)
                    and abs(readings.since_prior_close - broker_totals.gross_pnl)
                    > greatest(0.05, 0.01 * positions) then 'since_cost'
                when
                    abs(readings.since_prior_close - broker_totals.gross_pnl) <= greatest(0.05, 0.01 * positions)
                    and abs(readings.since_cost - broker_totals.gross_pnl)
                    > greatest(0.05, 0.01 * positions) then 'since_prior_close'
            end as by_history
        from core.account_eod
        left join readings
            on account_eod.account_id = readings.account_id and account_eod.trading_date = readings.trading_date
        left join broker_totals
            on
                account_eod.account_id = broker_totals.account_id
                and account_eod.trading_date = broker_totals.trading_date
        where account_eod.trading_date between $from_date and $to_date
    ) as verdicts
),

sourced as (
    select
        rolled.*,
        semantics.pnl_semantics,
        semantics.semantics_source,
        case
            when
                not is_opening and executions_loaded and quantities_agree and unpriced_fills = 0
                and unrealized_step is not null and basis_step is not null and trade_cash is not null
                then 'EXECUTIONS'
            when
                reported_realized is not null and reported_unrealized is not null
                and (is_opening or days_covered = 1)
                and (
                    semantics.pnl_semantics = 'since_prior_close'
                    or (is_opening and reported_realized = 0)
                    or (not is_opening and unrealized_step is not null)
                )
                then 'REPORTED'
            when is_opening or unrealized_step is null then null
            -- fills are known and do not add up: nothing may be assumed
            when executions_loaded and quantities_agree is not true and split_suspected is not true then null
            when split_suspected then 'SNAPSHOT'
            -- a fill that closed something realized something, and what is not known
            when (quantity >= 0 and sold_quantity > 0) or (quantity <= 0 and bought_quantity > 0) then null
            when implied_trade = 0 and (moved_quantity = 0 or basis_step is not null) then 'SNAPSHOT'
            -- it did not shrink, so nothing was realized
            when
                quantity <> 0 and sign(implied_trade) = sign(quantity)
                and (moved_quantity = 0 or quantity_prev = 0 or sign(moved_quantity) = sign(quantity_prev))
                and (
                    quantity_prev_split + moved_quantity = 0
                    or sign(quantity_prev_split + moved_quantity) = sign(quantity)
                )
                then 'SNAPSHOT'
        end as total_source
    from rolled
    inner join semantics
        on rolled.account_id = semantics.account_id and rolled.trading_date = semantics.trading_date
),

split as (
    select
        *,
        case total_source
            when 'EXECUTIONS' then trade_cash + moved_cash + basis_step
            when 'REPORTED' then reported_realized
            when 'SNAPSHOT' then case
                when implied_trade = 0 and moved_quantity <> 0 then moved_cash + basis_step
                -- strike cash paid for what came in is its cost, and nothing of it was realized
                when moved_quantity <> 0 then 0
                else moved_cash
            end
        end as realized_pnl,
        case
            when total_source = 'REPORTED' and (is_opening or pnl_semantics = 'since_prior_close')
                then reported_unrealized
            when total_source is not null then unrealized_step
        end as unrealized_change
    from sourced
),

-- a sum and a join: a window would sort every column of every row
counted as (
    select
        account_id, trading_date,
        count(*) filter (where total_source is null) as unknown_rows,
        sum(realized_pnl + unrealized_change) as known_total
    from split
    group by account_id, trading_date
),

-- exactly one unknown: it is what the account's own total leaves over
resolved as (
    select
        split.*,
        split.realized_pnl + split.unrealized_change as total_pnl,
        broker_totals.known_at as broker_known_at,
        split.total_source is null and counted.unknown_rows = 1 and broker_totals.covered_pnl is not null
        and split.unrealized_step is not null and not split.is_opening as is_residual,
        broker_totals.covered_pnl - coalesce(counted.known_total, 0) as residual
    from split
    inner join counted
        on split.account_id = counted.account_id and split.trading_date = counted.trading_date
    left join broker_totals
        on split.account_id = broker_totals.account_id and split.trading_date = broker_totals.trading_date
),

explained as (
    select
        *,
        case when is_residual then residual - unrealized_step else realized_pnl end as final_realized,
        case when is_residual then unrealized_step else unrealized_change end as final_unrealized,
        case when is_residual then residual else total_pnl end as final_total,
        case when is_residual then 'ACCOUNT_RESIDUAL' else total_source end as source,
        -- carried: yesterday's (split-adjusted) quantity at today's price against its value at yesterday's
        case
            when not is_opening and (moved_quantity = 0 or only_expiry) and quantity_prev = 0 then 0
            when not is_opening and (moved_quantity = 0 or only_expiry)
                then value_of(quantity_prev_split, price, multiplier) - value_of(quantity_prev, sod_price, multiplier)
        end as position_pnl,
        case
            when is_opening or (moved_quantity <> 0 and not only_expiry) then null
            when executions_loaded and quantities_agree and unpriced_fills = 0 and traded_quantity = 0
                then trade_cash
            when executions_loaded and quantities_agree and unpriced_fills = 0
                then value_of(traded_quantity, price, multiplier) + trade_cash
            when not executions_loaded and implied_trade = 0 and fills = 0 then 0
        end as day_pnl
    from resolved
)

select
    account_id,
    instrument_id,
    trading_date,
    symbol,
    underlying_instrument_id,
    instrument_type,
    prev_trading_date,
    days_covered,
    case
        when is_opening then 'OPENING'
        when quantity_prev = 0 and quantity = 0 then 'INTRADAY_ROUND_TRIP'
        when quantity_prev = 0 then 'OPENED'
        when quantity = 0 then 'CLOSED'
        when sign(quantity) <> sign(quantity_prev) then 'FLIPPED'
        else 'HELD'
    end as status,
    try_cast(case when is_opening then null else quantity_prev end as decimal(24, 8)) as quantity_prev,
    try_cast(quantity as decimal(24, 8)) as quantity,
    sod_price,
    eod_price,
    price_grade,
    try_cast(multiplier as decimal(12, 4)) as multiplier,
    try_cast(market_value as decimal(28, 10)) as market_value,
    try_cast(cost_basis as decimal(28, 10)) as cost_basis,
    try_cast(unrealized_pnl as decimal(28, 10)) as unrealized_pnl,
    case when executions_loaded then bought_quantity end as bought_quantity,
    case
        when executions_loaded and unpriced_fills = 0
            then value_of(1, bought_per_share, multiplier)
    end as bought_notional,
    case when executions_loaded then sold_quantity end as sold_quantity,
    case
        when executions_loaded and unpriced_fills = 0
            then value_of(1, sold_per_share, multiplier)
    end as sold_notional,
    try_cast(final_realized as decimal(28, 10)) as realized_pnl,
    try_cast(final_unrealized as decimal(28, 10)) as unrealized_change,
    try_cast(final_total as decimal(28, 10)) as total_pnl,
    try_cast(position_pnl as decimal(28, 10)) as position_pnl,
    try_cast(day_pnl as decimal(28, 10)) as day_pnl,
    try_cast(income_estimate as decimal(28, 10)) as income_estimate,
    try_cast(transferred_value as decimal(28, 10)) as transferred_value,
    case
        when pnl_semantics = 'since_prior_close' then try_cast(reported_realized as decimal(28, 10))
    end as realized_since_close,
    try_cast(reported_realized + reported_unrealized as decimal(28, 10)) as reported_total,
    try_cast(
        case when source in ('EXECUTIONS', 'SNAPSHOT') then final_total end as decimal(28, 10)
    ) as derived_total,
    try_cast(reported_realized + reported_unrealized - final_total as decimal(28, 10)) as recon_diff,
    pnl_semantics,
    semantics_source,
    source as total_source,
    case source
        when 'EXECUTIONS' then 'EXACT'
        when 'REPORTED' then 'REPORTED'
        when 'SNAPSHOT' then 'ASSUMED'
        when 'ACCOUNT_RESIDUAL' then 'IMPLIED'
        else 'UNKNOWN'
    end as quality,
    coalesce(split(nullif(concat_ws(
        ',',
        lifecycle_flag,
        case when lifecycle_flag = 'EXERCISED' and quantity <> 0 then 'EXERCISED_PARTIAL' end,
        case when source = 'REPORTED' then 'SEMANTICS_' || upper(pnl_semantics) end,
        case when days_covered > 1 then 'MULTI_DAY' end,
        case when source = 'REPORTED' and seen_flat then 'PARTIAL' end,
        case when symbol_prev <> symbol then 'SYMBOL_CHANGED' end,
        case when split_numerator <> split_denominator then 'SPLIT' end,
        case when split_suspected then 'SPLIT_SUSPECT' end,
        case when source = 'ACCOUNT_RESIDUAL' then 'FROM_ACCOUNT_RESIDUAL' end,
        case when adjustment_kind = 'TRANSFER' and adjusted_quantity > 0 then 'TRANSFER_IN' end,
        case when adjustment_kind = 'TRANSFER' and adjusted_quantity < 0 then 'TRANSFER_OUT' end,
        case when adjustment_kind <> 'TRANSFER' then adjustment_kind end,
        case when source = 'SNAPSHOT' and quantity_prev = 0 and moved_quantity = 0 then 'OPENED_UNCONFIRMED' end,
        case when executions_loaded and not quantities_agree and not is_opening then 'UNEXPLAINED_QUANTITY' end,
        case when unpriced_fills > 0 then 'UNPRICED_FILLS' end,
        case when price_grade in ('STALE', 'IMPLIED') then 'PRICE_' || price_grade end,
        case when source is null and not is_opening then 'REALIZED_UNKNOWN' end
    ), ''), ','), cast([] as varchar[])) as flags,
    run_id,
    greatest(known_at, prev_known_at, trades_known_at, lifecycle_known_at, case when is_residual then broker_known_at end)
        as inputs_known_at
from explained
