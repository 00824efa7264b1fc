-- How much of each month's P&L was realized and how much is still open, by account?
-- A column is null where a day of the month is missing from it: days_unknown counts those without a total, days_unsplit those whose total is known (from the
-- broker) and whose split is not. P&L is before fees; the first day of an account counts with what the broker says that it made.
select
    account_id,
    cast(date_trunc('month', trading_date) as date) as month,
    case when count(realized_pnl) = count(*) then sum(realized_pnl) end as realized_pnl,
    case when count(unrealized_change) = count(*) then sum(unrealized_change) end as unrealized_change,
    case when count(total_pnl) = count(*) then sum(total_pnl) end as total_pnl,
    count(*) as days,
    count(*) - count(total_pnl) as days_unknown,
    count(total_pnl) - count(realized_pnl + unrealized_change) as days_unsplit
from pnl.account_daily
group by account_id, month
order by account_id, month
