-- The last sessions of accounts that a new run lists as closed on a day that the books have otherwise.
select distinct calendar.trading_date
from raw.accounts
inner join new_run on accounts.run_id = new_run.run_id
inner join core.calendar
    on
        accounts.close_date >= calendar.trading_date
        and (calendar.next_trading_date is null or accounts.close_date < calendar.next_trading_date)
anti join core.expected_day
    on accounts.account_id = expected_day.account_id and calendar.trading_date = expected_day.trading_date
where
    exists (
        select 1 from core.account_eod
        where account_eod.account_id = accounts.account_id and account_eod.trading_date < calendar.trading_date
    )
