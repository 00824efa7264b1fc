-- Positions of each account at the end of its day: quantity, cost and value as the broker reported them, the price behind them with its
-- grade, the multiplier with its source, and the same value recalculated (quantity x price x multiplier), kept apart from the reported one.
with days as (
    select * from core.account_eod where trading_date between $from_date and $to_date
),

contracts as (
    select * from raw.option_contracts
    qualify row_number() over (partition by id order by run_id desc) = 1
),

held as (
    select
        days.trading_date,
        days.captured_at,
        days.daily_fields_run_id = days.run_id as daily_fields_apply,
        days.daily_fields_run_id,
        days.marks_run_id,
        positions.*
    from raw.positions
    inner join days
        on positions.run_id = days.run_id and positions.account_id = days.account_id
),

-- marks of a later snapshot apply only where it shows the very same position: overnight trades and splits belong to the next day
later_marks as (
    select
        days.trading_date,
        positions.*
    from raw.positions
    inner join days
        on positions.run_id = days.marks_run_id and positions.account_id = days.account_id
    where days.marks_run_id <> days.run_id
),

-- a snapshot taken after the broker had rolled keeps its quantities, but not its daily figures
unrolled as (
    select
        days.trading_date,
        positions.account_id,
        positions.instrument_id,
        positions.daily_realized_pnl,
        positions.daily_unrealized_pnl
    from raw.positions
    inner join days
        on positions.run_id = days.daily_fields_run_id and positions.account_id = days.account_id
    where days.daily_fields_run_id <> days.run_id
),

marked as (
    select
        held.account_id,
        held.instrument_id,
        held.trading_date,
        held.symbol,
        coalesce(held.underlying_instrument_id, contracts.underlying_instrument_id) as underlying_instrument_id,
        held.instrument_type,
        case when held.position_type like 'SHORT%' then 'SHORT' else 'LONG' end as side,
        held.quantity,
        held.available_quantity,
        held.avg_price,
        held.cost_basis as reported_cost_basis,
        coalesce(later_marks.market_value, held.market_value) as market_value,
        case when later_marks.instrument_id is null then held.unrealized_pnl else later_marks.unrealized_pnl end
            as reported_unrealized_pnl,
        case
            when later_marks.instrument_id is null then held.unrealized_pnl_pct else later_marks.unrealized_pnl_pct
        end as unrealized_pnl_pct,
        coalesce(later_marks.closing_price, held.closing_price) as closing_price,
        coalesce(later_marks.closing_price_date, held.closing_price_date) as closing_price_date,
        coalesce(later_marks.instrument_price, held.instrument_price) as instrument_price,
        case
            when held.daily_fields_apply then held.daily_realized_pnl
            else unrolled.daily_realized_pnl
        end as daily_realized_pnl,
        case
            when held.daily_fields_apply then held.daily_unrealized_pnl
            else unrolled.daily_unrealized_pnl
        end as daily_unrealized_pnl,
        -- expiry, right and strike, where the contract itself doesn't tell them all
        case
            when
                (contracts.expiry is null or contracts.strike_price is null or contracts.contract_type is null)
                and regexp_matches(held.symbol, '^[A-Z0-9./]{1,6} *([0-9]{6})([CP])([0-9]{8})$')
                then right(held.symbol, 15)
        end as osi,
        try_cast(contracts.multiplier as decimal(12, 4)) as contract_multiplier,
        contracts.expiry as contract_expiry,
        contracts.strike_price as contract_strike,
        contracts.contract_type as contract_right
    from held
    left join later_marks
        on
            held.account_id = later_marks.account_id
            and held.instrument_id = later_marks.instrument_id
            and held.trading_date = later_marks.trading_date
            and held.quantity = later_marks.quantity
            and held.cost_basis is not distinct from later_marks.cost_basis
    left join unrolled
        on
            held.account_id = unrolled.account_id
            and held.instrument_id = unrolled.instrument_id
            and held.trading_date = unrolled.trading_date
    left join contracts on held.instrument_id = contracts.id
),

-- what the row itself implies: cost / (quantity x average price), else value / (quantity x price)
implied as (
    select
        *,
        case
            when instrument_type = 'OPTION' and contract_multiplier is null then coalesce(
                abs(
                    cast(reported_cost_basis as double)
                    / nullif(cast(quantity as double) * cast(avg_price as double), 0)
                ),
                abs(
                    cast(market_value as double)
                    / nullif(cast(quantity as double) * cast(coalesce(instrument_price, closing_price) as double), 0)
                )
            )
        end as implied_ratio
    from marked
),

multiplied as (
    select
        *,
        case
            when instrument_type <> 'OPTION' then cast(1 as decimal(12, 4))
            when contract_multiplier is not null then contract_multiplier
            -- average prices are rounded by the broker, so 99.98 means 100
            when
                abs(implied_ratio - round(implied_ratio)) <= 0.005 * implied_ratio and round(implied_ratio) > 0
                and implied_ratio < 1000000
                then cast(round(implied_ratio) as decimal(12, 4))
            when implied_ratio > 0 and implied_ratio < 1000000 then cast(round(implied_ratio, 4) as decimal(12, 4))
            else cast(100 as decimal(12, 4))
        end as multiplier,
        case
            when instrument_type <> 'OPTION' then 'UNIT'
            when contract_multiplier is not null then 'CONTRACT'
            when implied_ratio > 0 and implied_ratio < 1000000 then 'IMPLIED'
            else 'ASSUMED'
        end as multiplier_source
    from implied
),

-- a cost that the broker leaves out is its average price; what is flat costs nothing
costed as (
    select
        *,
        case
            when quantity = 0 then cast(0 as decimal(28, 10))
            else cast(coalesce(
                reported_cost_basis,
                value_of(quantity, avg_price, multiplier)
            ) as decimal(28, 10))
        end as cost_basis
    from multiplied
),

priced as (
    select
        *,
        case
            when quantity = 0 then cast(0 as decimal(28, 10))
            else try_cast(coalesce(reported_unrealized_pnl, market_value - cost_basis) as decimal(28, 10))
        end as unrealized_pnl,
        case
            when closing_price_date = trading_date and closing_price is not null then closing_price
            when instrument_price is not null then instrument_price
            when quantity <> 0 and market_value is not null
                then try_cast(round(
                    cast(market_value as double) / (cast(quantity as double) * cast(multiplier as double)), 8
                ) as decimal(24, 8))
            else closing_price
        end as eod_price,
        case
            when closing_price_date = trading_date and closing_price is not null then 'OFFICIAL'
            when instrument_price is not null then 'INDICATIVE'
            when quantity <> 0 and market_value is not null then 'IMPLIED'
            when closing_price is not null then 'STALE'
        end as price_grade
    from costed
),

recalculated as (
    select
        *,
        value_of(quantity, eod_price, multiplier) as value_recalc,
        abs(market_value - value_of(quantity, closing_price, multiplier)) <= 0.01 as fits_close,
        abs(market_value - value_of(quantity, instrument_price, multiplier)) <= 0.01 as fits_current
    from priced
)

select
    account_id,
    instrument_id,
    trading_date,
    symbol,
    underlying_instrument_id,
    instrument_type,
    side,
    quantity,
    available_quantity,
    avg_price,
    cost_basis,
    market_value,
    unrealized_pnl,
    eod_price,
    price_grade,
    closing_price,
    closing_price_date,
    instrument_price,
    multiplier,
    multiplier_source,
    coalesce(
        contract_expiry,
        case
            when osi is not null
                then try_cast(
                    '20' || substr(osi, 1, 2) || '-' || substr(osi, 3, 2) || '-' || substr(osi, 5, 2) as date
                )
        end
    ) as option_expiry,
    coalesce(
        cast(contract_strike as decimal(24, 8)),
        case
            when osi is not null
                then cast(
                    cast(substr(osi, 8, 8) as decimal(24, 8)) * cast(0.001 as decimal(4, 3)) as decimal(24, 8)
                )
        end
    ) as option_strike,
    coalesce(
        contract_right,
        case substr(osi, 7, 1) when 'C' then 'CALL' when 'P' then 'PUT' end
    ) as option_right,
    daily_realized_pnl,
    daily_unrealized_pnl,
    unrealized_pnl_pct,
    value_recalc,
    try_cast(value_recalc - cost_basis as decimal(28, 10)) as unrealized_recalc,
    -- which price the broker's market value is made of: undocumented, so it is found out row by row
    case
        when fits_close and fits_current then 'BOTH'
        when fits_close then 'CLOSE'
        when fits_current then 'CURRENT'
        when fits_close is not null or fits_current is not null then 'NEITHER'
    end as value_basis
from recalculated
