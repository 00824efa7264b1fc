-- Positions of each account at the end of its day: quantity, cost and value as the broker reported them, the price behind them with its
-- grade, the multiplier with its source, and the same value recalculated (quantity x price x multiplier), kept apart from the reported one.
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
    option_expiry,
    option_strike,
    option_right,
    daily_realized_pnl,
    daily_unrealized_pnl,
    unrealized_pnl_pct,
    value_of(quantity, eod_price, multiplier) as value_recalc,
    try_cast(value_recalc - cost_basis as decimal(28, 10)) as unrealized_recalc,
    -- which price the broker's market value is made of: undocumented, so it is found out row by row
    case
        when fits_close and fits_current then 'BOTH'
        when fits_close then 'CLOSE'
        when fits_current then 'CURRENT'
        when fits_close is not null or fits_current is not null then 'NEITHER'
    end as value_basis
from position_priced
