-- What deserves a look in an account's day, and days on which the two calendars differ.
with recent as (
    select
        account_id,
        median(abs(cast(total_pnl as double))) as usual
    from pnl.account_daily
    where trading_date < $from_date and trading_date >= $from_date - 40 and total_pnl <> 0
    group by account_id
    having count(*) >= 10
)

select
    account.trading_date, account.account_id, null as instrument_id, account.run_id,
    'unusual_pnl' as check_name, 'WARN' as severity,
    cast(account.total_pnl as varchar) as value,
    cast(round(recent.usual, 2) as varchar) as expected,
    'the day''s P&L is more than twenty times what is usual for the account' as message
from new_account_daily as account
inner join recent on account.account_id = recent.account_id
where recent.usual > 0 and abs(account.total_pnl) > 20 * recent.usual
union all
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
