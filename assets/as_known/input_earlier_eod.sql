-- The last known end of day of each account before the window that is derived again.
select
    account_id,
    max(trading_date) as trading_date
from pnl.account_daily
where trading_date < getvariable('from_date')
group by account_id
