-- The accounts that were expected on the last day before the window.
select
    account_id,
    trading_date
from daybook.core.expected_day
where
    trading_date = (
        select max(trading_date) from daybook.core.expected_day
        where trading_date < getvariable('from_date')
    )
    and account_id in (select account_id from main.asked_account)
