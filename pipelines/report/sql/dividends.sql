-- Dividends of the period by line, as the broker announced them: what was held at the ex-date times the amount; negative what a short position owes.
-- They are expected amounts: what was paid is within the broker's net P&L, in income and fees.
select
    trading_date,
    account_id,
    symbol,
    quantity_prev as quantity,
    income_estimate as amount
from pnl.position_daily
where trading_date between $first_date and $day and income_estimate <> 0
order by trading_date desc, account_id, symbol
