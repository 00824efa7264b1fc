-- What did the firm make each day, and is that everybody?
-- total_pnl is null unless every expected account is complete; known_so_far is the sum over the accounts that are, for whom a part is better than nothing. Never
-- mistake the second for the first.
select
    day.trading_date,
    day.status,
    day.accounts_complete || ' of ' || day.accounts_expected as accounts,
    day.finality,
    firm_daily.total_pnl,
    sum(account_daily.total_pnl) as known_so_far
from quality.day
left join pnl.firm_daily on day.trading_date = firm_daily.trading_date
left join pnl.account_daily on day.trading_date = account_daily.trading_date
group by all
order by day.trading_date desc
