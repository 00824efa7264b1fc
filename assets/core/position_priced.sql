-- Positions held with what their value rests on: value, cost and unrealized P&L, also where the broker leaves the last two out, the price behind
-- the value with its grade, and which of the two prices the broker's value agrees with. Those of a recovered day are as it was recovered: never by
-- the value or the price of the morning.
select
    held.account_id,
    held.instrument_id,
    held.trading_date,
    held.symbol,
    coalesce(held.underlying_instrument_id, unit.underlying_instrument_id) as underlying_instrument_id,
    held.instrument_type,
    held.side,
    case when held.is_recovered then recovered.quantity else held.quantity end as quantity,
    case when not held.is_recovered then held.available_quantity end as available_quantity,
    case when held.is_recovered then recovered.avg_price else held.avg_price end as avg_price,
    case when held.is_recovered then recovered.close else held.closing_price end as closing_price,
    case
        when not held.is_recovered then held.closing_price_date
        when recovered.close is not null then held.trading_date
    end as closing_price_date,
    case when not held.is_recovered then held.instrument_price end as instrument_price,
    unit.option_expiry,
    unit.option_strike,
    unit.option_right,
    held.daily_realized_pnl,
    held.daily_unrealized_pnl,
    case when not held.is_recovered then held.unrealized_pnl_pct end as unrealized_pnl_pct,
    case when held.is_recovered then recovered.multiplier else unit.multiplier end as multiplier,
    case when held.is_recovered and recovered.multiplier is null then 'UNKNOWN' else unit.multiplier_source end
        as multiplier_source,
    held.closing_price is not null and held.closing_price_date = held.trading_date as has_close,
    case when held.is_late_mark and has_close then value_of(held.quantity, held.closing_price, unit.multiplier) end
        as late_value,
    -- a value of the night is the next session's, so what a late snapshot has counts at the close
    case
        when held.is_recovered then recovered.recovered_value
        when abs(held.reported_value - late_value) > cent() then late_value
        else held.reported_value
    end as market_value,
    -- a cost that the broker leaves out is its average price, or what value and P&L leave; what is flat costs nothing
    case
        when held.is_recovered then recovered.recovered_cost
        when held.quantity = 0 then cast(0 as decimal(28, 10))
        else cast(coalesce(
            held.reported_cost_basis,
            value_of(held.quantity, held.avg_price, unit.multiplier),
            try_cast(held.reported_value - held.reported_unrealized_pnl as decimal(28, 10))
        ) as decimal(28, 10))
    end as cost_basis,
    case
        when held.is_recovered then try_cast(recovered.recovered_value - recovered.recovered_cost as decimal(28, 10))
        when held.quantity = 0 then cast(0 as decimal(28, 10))
        when abs(held.reported_value - late_value) > cent() then try_cast(late_value - cost_basis as decimal(28, 10))
        else try_cast(coalesce(held.reported_unrealized_pnl, held.reported_value - cost_basis) as decimal(28, 10))
    end as unrealized_pnl,
    case
        when held.is_recovered then recovered.recovered_grade
        when has_close then 'OFFICIAL'
        when held.instrument_price is not null and not held.is_late_mark then 'INDICATIVE'
        when held.quantity <> 0 and held.reported_value is not null then 'IMPLIED'
        when held.closing_price is not null then 'STALE'
    end as price_grade,
    case price_grade
        when 'INDICATIVE' then held.instrument_price
        when 'IMPLIED'
            then as_quantity(
                cast(held.reported_value as double)
                / nullif(cast(held.quantity as double) * cast(unit.multiplier as double), 0)
            )
        else case when held.is_recovered then recovered.close else held.closing_price end
    end as eod_price,
    case
        when not held.is_recovered
            then abs(market_value - value_of(held.quantity, held.closing_price, unit.multiplier)) <= cent()
        when recovered.recovered_value is not null then true
    end as fits_close,
    case
        when not held.is_recovered
            then abs(market_value - value_of(held.quantity, held.instrument_price, unit.multiplier)) <= cent()
    end as fits_current
from position_held as held
inner join position_unit as unit
    on
        held.account_id = unit.account_id
        and held.trading_date = unit.trading_date
        and held.instrument_id = unit.instrument_id
left join recovered_position as recovered
    on
        held.is_recovered
        and held.account_id = recovered.account_id
        and held.trading_date = recovered.trading_date
        and held.instrument_id = recovered.instrument_id
where not held.is_recovered or recovered.quantity is distinct from 0
