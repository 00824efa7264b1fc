-- Days on which an account was expected, or was not, whose closing a new run tells first, or otherwise than before.
with accounts as (
    select
        account_id,
        close_date,
        run_id in (select run_id from new_run) as is_new
    from raw.accounts
    where account_id in (select account_id from raw.accounts where run_id in (select run_id from new_run))
    qualify row_number() over (partition by account_id, is_new order by run_id desc) = 1
),

differing as (
    select least(now_said.close_date, said_before.close_date) as since
    from accounts as now_said
    inner join accounts as said_before on now_said.account_id = said_before.account_id and not said_before.is_new
    where now_said.is_new and now_said.close_date is distinct from said_before.close_date
)

select calendar.trading_date
from core.calendar
where
    calendar.trading_date >= (select min(since) from differing) - 7
    and calendar.trading_date <= (select max(trading_date) from core.expected_day)
