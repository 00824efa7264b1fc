-- Positions of each account at the end of its day: quantity, cost and value as the broker reported them, the price behind them with its
-- grade, the multiplier with its source, and the same value recalculated (quantity x price x multiplier), kept apart from the reported one;
-- and an option's delta where the evening's market snapshot has it.
select
    held.account_id,
    held.instrument_id,
    held.trading_date,
    held.symbol,
    held.underlying_instrument_id,
    held.instrument_type,
    held.side,
    held.quantity,
    held.available_quantity,
    held.avg_price,
    held.cost_basis,
    held.market_value,
    held.unrealized_pnl,
    held.eod_price,
    held.price_grade,
    held.closing_price,
    held.closing_price_date,
    held.instrument_price,
    held.multiplier,
    held.multiplier_source,
    held.option_expiry,
    held.option_strike,
    held.option_right,
    held.daily_realized_pnl,
    held.daily_unrealized_pnl,
    held.unrealized_pnl_pct,
    value_of(held.quantity, held.eod_price, held.multiplier) as value_recalc,
    try_cast(value_recalc - held.cost_basis as decimal(28, 10)) as unrealized_recalc,
    -- which price the broker's market value is made of: undocumented, so it is found out row by row
    case
        when held.fits_close and held.fits_current then 'BOTH'
        when held.fits_close then 'CLOSE'
        when held.fits_current then 'CURRENT'
        when held.fits_close is not null or held.fits_current is not null then 'NEITHER'
    end as value_basis,
    own.delta,
    -- what the position moves by if what it is on moves by all of its price: of an option by its delta, of anything else its own value
    case
        when held.instrument_type <> 'OPTION' then held.market_value
        else in_millionths(
            cast(held.quantity as double) * cast(held.multiplier as double) * cast(own.delta as double)
            * cast(underlying.price as double)
        )
    end as delta_exposure
from position_priced as held
left join market_price as own on held.instrument_id = own.instrument_id and held.trading_date = own.trading_date
left join market_price as underlying
    on held.underlying_instrument_id = underlying.instrument_id and held.trading_date = underlying.trading_date
