-- Positions held with what their value rests on: cost and unrealized P&L, also where the broker leaves them out, the price behind the value with
-- its grade, and which of the two prices the broker's value agrees with.
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
    market_value,
    closing_price,
    closing_price_date,
    instrument_price,
    option_expiry,
    option_strike,
    option_right,
    daily_realized_pnl,
    daily_unrealized_pnl,
    unrealized_pnl_pct,
    multiplier,
    multiplier_source,
    -- a cost that the broker leaves out is its average price; what is flat costs nothing
    case
        when quantity = 0 then cast(0 as decimal(28, 10))
        else cast(coalesce(reported_cost_basis, value_of(quantity, avg_price, multiplier)) as decimal(28, 10))
    end as cost_basis,
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
    end as price_grade,
    abs(market_value - value_of(quantity, closing_price, multiplier)) <= cent() as fits_close,
    abs(market_value - value_of(quantity, instrument_price, multiplier)) <= cent() as fits_current
from position_held
