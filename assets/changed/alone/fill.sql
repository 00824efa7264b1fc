-- Days of fills that a run lists, again or for the first time: when it was seen last is a column of a fill.
with listed as (
    select distinct executions.transaction_time
    from raw.executions
    semi join telling_run on executions.run_id = telling_run.run_id
),

-- of all sessions those that may have one: each fill is compared with each
sessions as (
    select
        calendar.trading_date,
        calendar.owns_from,
        calendar.post_close
    from core.calendar
    inner join (select min(transaction_time) as first_at, max(transaction_time) as last_at from listed) as spanned
        on calendar.owns_from < spanned.last_at and calendar.post_close >= spanned.first_at
)

select distinct sessions.trading_date
from listed
inner join sessions
    on listed.transaction_time > sessions.owns_from and listed.transaction_time <= sessions.post_close
