-- What deserves a look in an account's day, and days on which the two calendars differ.
select
    broker_day.trading_date, broker_day.account_id, null as instrument_id, account_eod.run_id,
    'currency_is_not_usd' as check_name, 'WARN' as severity,
    broker_day.currency as value,
    'USD' as expected,
    'the account is in another currency: its figures are not added to those of other accounts' as message
from core.broker_day
inner join core.account_eod
    on broker_day.account_id = account_eod.account_id and broker_day.trading_date = account_eod.trading_date
where broker_day.trading_date between $from_date and $to_date and broker_day.currency <> 'USD'
union all
select
    trading_date, null as account_id, null as instrument_id, null as run_id,
    'calendar_conflict' as check_name, 'WARN' as severity,
    day_type as value,
    source as expected,
    'the broker''s calendar and the shipped one differ about this day; the broker''s is used' as message
from core.calendar
where trading_date between $from_date and $to_date and conflict
union all
select
    broker_day.trading_date, null as account_id, null as instrument_id, null as run_id,
    'currencies_not_added' as check_name, 'WARN' as severity,
    min(account_currency.currency) as value,
    max(account_currency.currency) as expected,
    'accounts are in different currencies, so the firm has no total: pnl.group_daily has the sums of each currency' as message
from core.broker_day
inner join account_currency on broker_day.account_id = account_currency.account_id
where broker_day.trading_date between $from_date and $to_date
group by broker_day.trading_date
having count(distinct account_currency.currency) > 1
