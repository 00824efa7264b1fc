-- Positions held with what their value rests on: value, cost and unrealized P&L, also where the broker leaves the last two out, the price behind
-- the value with its grade, and which of the two prices the broker's value agrees with.
select
    held.account_id,
    held.instrument_id,
    held.trading_date,
    held.symbol,
    coalesce(held.underlying_instrument_id, unit.underlying_instrument_id) as underlying_instrument_id,
    held.instrument_type,
    held.side,
    held.quantity,
    held.available_quantity,
    held.avg_price,
    held.closing_price,
    held.closing_price_date,
    held.instrument_price,
    unit.option_expiry,
    unit.option_strike,
    unit.option_right,
    held.daily_realized_pnl,
    held.daily_unrealized_pnl,
    held.unrealized_pnl_pct,
    unit.multiplier,
    unit.multiplier_source,
    held.closing_price is not null and held.closing_price_date = held.trading_date as has_close,
    case when held.is_late_mark and has_close then value_of(held.quantity, held.closing_price, unit.multiplier) end
        as late_value,
    -- a value of the night is the next session's, so what a late snapshot has counts at the close
    case
        when abs(held.reported_value - late_value) > cent() then late_value
        else held.reported_value
    end as market_value,
    -- a cost that the broker leaves out is its average price, or what value and P&L leave; what is flat costs nothing
    case
        when held.quantity = 0 then cast(0 as decimal(28, 10))
        else cast(coalesce(
            held.reported_cost_basis,
            value_of(held.quantity, held.avg_price, unit.multiplier),
            try_cast(held.reported_value - held.reported_unrealized_pnl as decimal(28, 10))
        ) as decimal(28, 10))
    end as cost_basis,
    case
        when held.quantity = 0 then cast(0 as decimal(28, 10))
        when abs(held.reported_value - late_value) > cent() then try_cast(late_value - cost_basis as decimal(28, 10))
        else try_cast(coalesce(held.reported_unrealized_pnl, held.reported_value - cost_basis) as decimal(28, 10))
    end as unrealized_pnl,
    case
        when has_close then 'OFFICIAL'
        when held.instrument_price is not null and not held.is_late_mark then 'INDICATIVE'
        when held.quantity <> 0 and held.reported_value is not null then 'IMPLIED'
        when held.closing_price is not null then 'STALE'
    end as price_grade,
    case price_grade
        when 'INDICATIVE' then held.instrument_price
        when 'IMPLIED'
            then try_cast(round(
                cast(held.reported_value as double) / (cast(held.quantity as double) * cast(unit.multiplier as double)), 8
            ) as decimal(24, 8))
        else held.closing_price
    end as eod_price,
    abs(market_value - value_of(held.quantity, held.closing_price, unit.multiplier)) <= cent() as fits_close,
    abs(market_value - value_of(held.quantity, held.instrument_price, unit.multiplier)) <= cent() as fits_current
from position_held as held
inner join position_unit as unit
    on
        held.account_id = unit.account_id
        and held.trading_date = unit.trading_date
        and held.instrument_id = unit.instrument_id
