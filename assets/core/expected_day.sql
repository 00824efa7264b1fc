-- Which accounts each trading day was expected to have, and what became of each: known, or the reason why not. A day on which nobody asked
-- expects the accounts of the last day on which somebody did; a closed account is expected until the session on which it closed.
with asked as (
    select
        account_id,
        trading_date,
        run_id,
        captured_at,
        http_status
    from core.snapshot_grade
    where trading_date between $from_date and $to_date and is_end_of_day(grade)
    qualify row_number() over (partition by account_id, trading_date order by captured_at desc, run_id desc) = 1
),

-- a day is over once somebody read after its close, be it in the morning of the next session
latest as (
    select max(case when is_end_of_day(run.grade) then run.trading_date else calendar.prev_trading_date end) as trading_date
    from core.run
    inner join core.calendar on run.trading_date = calendar.trading_date
    where is_end_of_day(run.grade) or is_stand_in(run.grade)
),

-- positions of a recovered day that could not be rolled back, or have no close of the day
in_doubt as (
    select distinct account_eod.account_id, account_eod.trading_date
    from core.account_eod
    inner join core.position_eod
        on account_eod.account_id = position_eod.account_id and account_eod.trading_date = position_eod.trading_date
    where
        account_eod.trading_date between $from_date and $to_date and account_eod.grade = 'RECOVERED'
        and position_eod.trading_date between $from_date and $to_date and position_eod.market_value is null
),

rosters as (
    select account_id, trading_date from asked
    union
    select account_id, trading_date from input_earlier_roster
),

roster_days as (
    select distinct trading_date from rosters
),

sessions as (
    select
        calendar.trading_date,
        (select max(roster_days.trading_date) from roster_days where roster_days.trading_date <= calendar.trading_date)
            as roster_date
    from core.calendar
    inner join latest on calendar.trading_date <= latest.trading_date
    where calendar.trading_date between $from_date and $to_date
),

-- the last session of an account that closed: it was there, and nobody could read its end any more
closing as (
    select
        account_closed.account_id,
        max(calendar.trading_date) as trading_date
    from account_closed
    inner join core.calendar on account_closed.closed_on >= calendar.trading_date
    group by account_closed.account_id, account_closed.closed_on
),

expected as (
    select
        rosters.account_id,
        sessions.trading_date
    from sessions
    inner join rosters on sessions.roster_date = rosters.trading_date
    anti join account_closed
        on
            rosters.account_id = account_closed.account_id and sessions.roster_date < sessions.trading_date
            and account_closed.closed_on < sessions.trading_date and sessions.trading_date < account_closed.reopened_on
    union
    select account_id, trading_date
    from core.account_eod
    where trading_date between $from_date and $to_date and grade = 'RECOVERED'
    union
    select
        closing.account_id,
        closing.trading_date
    from closing
    inner join sessions on closing.trading_date = sessions.trading_date
    where
        exists (
            select 1 from core.snapshot_grade as earlier
            where earlier.account_id = closing.account_id and earlier.trading_date < closing.trading_date
        )
)

select
    expected.account_id,
    expected.trading_date,
    account_eod.account_id is not null as is_known,
    account_eod.account_id is not null and account_eod.instructions_loaded and in_doubt.account_id is null as is_complete,
    account_eod.finality,
    asked.captured_at,
    case
        when account_eod.account_id is not null then null
        when asked.account_id is null and closing.account_id is not null then 'ACCOUNT_CLOSED'
        -- a plan expected it, and nobody asked
        when asked.account_id is null or asked.captured_at is null then 'NO_SNAPSHOT'
        when asked.http_status = 200 then 'INCOMPLETE_SNAPSHOT'
        else 'FETCH_FAILED'
    end as reason
from expected
left join core.account_eod
    on expected.account_id = account_eod.account_id and expected.trading_date = account_eod.trading_date
left join in_doubt
    on expected.account_id = in_doubt.account_id and expected.trading_date = in_doubt.trading_date
left join asked
    on expected.account_id = asked.account_id and expected.trading_date = asked.trading_date
left join closing
    on expected.account_id = closing.account_id and expected.trading_date = closing.trading_date
