-- Positions that the day opened, closed, reversed, or both opened and closed.
select
    status,
    symbol,
    account_id,
    quantity_prev,
    quantity,
    bought_quantity,
    sold_quantity,
    realized_pnl,
    total_pnl,
    array_to_string(flags, ' ') as flags
from pnl.position_daily
where trading_date = $day and status in ('OPENED', 'CLOSED', 'FLIPPED', 'INTRADAY_ROUND_TRIP')
order by status, abs(total_pnl) desc nulls first, account_id, symbol
