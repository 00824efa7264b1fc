-- Daily P&L of the firm: the sum over its accounts, and null unless every expected account is complete and known.
select
    day.trading_date,
    try_cast(case
        when day.accounts_complete = day.accounts_expected and count(account_daily.realized_pnl) = day.accounts_expected
            then sum(account_daily.realized_pnl)
    end as decimal(28, 10)) as realized_pnl,
    try_cast(case
        when
            day.accounts_complete = day.accounts_expected
            and count(account_daily.unrealized_change) = day.accounts_expected
            then sum(account_daily.unrealized_change)
    end as decimal(28, 10)) as unrealized_change,
    try_cast(case
        when day.accounts_complete = day.accounts_expected and count(account_daily.total_pnl) = day.accounts_expected
            then sum(account_daily.total_pnl)
    end as decimal(28, 10)) as total_pnl,
    day.accounts_expected,
    day.accounts_complete
from quality.day
left join pnl.account_daily on day.trading_date = account_daily.trading_date
group by day.trading_date, day.accounts_expected, day.accounts_complete
