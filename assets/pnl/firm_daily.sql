-- Daily P&L of the firm: the sum over its accounts, and null unless every expected account is complete and known, and all are in one currency
-- (figures in different currencies are never added: pnl.group_daily has the sums of each).
with summed as (
    select
        account_daily.trading_date,
        sum(account_daily.realized_pnl) as realized_pnl,
        count(account_daily.realized_pnl) as realized_known,
        sum(account_daily.unrealized_change) as unrealized_change,
        count(account_daily.unrealized_change) as unrealized_known,
        sum(account_daily.total_pnl) as total_pnl,
        count(account_daily.total_pnl) as total_known
    from pnl.account_daily
    left join account_currency on account_daily.account_id = account_currency.account_id
    group by account_daily.trading_date
    having count(distinct account_currency.currency) <= 1
)

select
    day.trading_date,
    try_cast(case when summed.realized_known = day.accounts_expected then summed.realized_pnl end as decimal(28, 10))
        as realized_pnl,
    try_cast(
        case when summed.unrealized_known = day.accounts_expected then summed.unrealized_change end as decimal(28, 10)
    ) as unrealized_change,
    try_cast(case when summed.total_known = day.accounts_expected then summed.total_pnl end as decimal(28, 10))
        as total_pnl,
    day.accounts_expected,
    day.accounts_complete
from quality.day
left join summed on day.trading_date = summed.trading_date and day.accounts_complete = day.accounts_expected
