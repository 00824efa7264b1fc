-- Which days of this quarter lost the most, and which account lost most of it?
-- The quarter is that of the last day in the books. Days whose firm total is not known (an account missing) can't be ranked: the last column counts
-- them, and while it isn't 0 a worse day may be hidden there.
with last_day as (
    select max(trading_date) as trading_date from quality.day
),

quarter as (
    select firm_daily.*
    from pnl.firm_daily, last_day
    where
        date_trunc('quarter', firm_daily.trading_date) = date_trunc('quarter', last_day.trading_date)
        and firm_daily.trading_date <= last_day.trading_date
),

accounts as (
    select
        trading_date,
        arg_min(account_id, total_pnl) as worst_account,
        min(total_pnl) as worst_account_pnl
    from pnl.account_daily
    group by trading_date
)

select
    quarter.trading_date,
    quarter.total_pnl,
    accounts.worst_account,
    accounts.worst_account_pnl,
    (select count(*) from quarter where total_pnl is null) as days_unknown
from quarter
inner join accounts on quarter.trading_date = accounts.trading_date
where quarter.total_pnl is not null
order by quarter.total_pnl, quarter.trading_date
limit 5
