-- Every position of the day: held, opened, closed or traded within it.
select
    symbol,
    account_id,
    instrument_type,
    status,
    quantity_prev,
    quantity,
    eod_price,
    market_value,
    cost_basis,
    unrealized_pnl,
    position_pnl as carried,
    day_pnl as traded,
    realized_pnl,
    unrealized_change,
    total_pnl,
    days_covered,
    quality,
    array_to_string(flags, ' ') as flags,
    underlying_instrument_id,
    instrument_id
from pnl.position_daily
where trading_date = $day
order by total_pnl desc nulls last, account_id, symbol, instrument_id
