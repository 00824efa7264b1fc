-- What has to hold of each end of day and does not: it is a session's, it was expected, and it has each instrument once.
select
    account_eod.trading_date,
    account_eod.account_id,
    account_eod.run_id,
    'day_is_a_session' as check_name,
    cast(account_eod.trading_date as string) as value,
    null as expected,
    'an end of day stands on a date without a session' as message
from core.account_eod
left join core.calendar on account_eod.trading_date = calendar.trading_date
where account_eod.trading_date between $from_date and $to_date and calendar.trading_date is null
union all
select
    account_eod.trading_date,
    account_eod.account_id,
    account_eod.run_id,
    'day_was_expected' as check_name,
    cast(account_eod.trading_date as string) as value,
    null as expected,
    'an end of day stands where no account was expected: neither known nor a gap' as message
from core.account_eod
left join core.expected_day
    on account_eod.account_id = expected_day.account_id and account_eod.trading_date = expected_day.trading_date
where account_eod.trading_date between $from_date and $to_date and expected_day.account_id is null
union all
select
    account_eod.trading_date,
    account_eod.account_id,
    account_eod.run_id,
    'rows_landed_once' as check_name,
    cast(count(*) as string) as value,
    cast(count(distinct position_eod.instrument_id) as string) as expected,
    'an instrument stands twice in an account''s end of day' as message
from core.account_eod
inner join core.position_eod
    on account_eod.account_id = position_eod.account_id and account_eod.trading_date = position_eod.trading_date
where account_eod.trading_date between $from_date and $to_date
group by account_eod.trading_date, account_eod.account_id, account_eod.run_id
having count(*) <> count(distinct position_eod.instrument_id)
