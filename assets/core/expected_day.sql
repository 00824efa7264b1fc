-- Which accounts each trading day was expected to have, and what became of each: known, or the reason why not. A day on which nobody asked
-- expects the accounts of the last day on which somebody did.
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

latest as (
    select max(trading_date) as trading_date
    from core.snapshot_grade
    where is_end_of_day(grade)
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

closed as (
    select
        account_id,
        close_date
    from raw.accounts
    where close_date is not null
    qualify row_number() over (partition by account_id order by run_id desc) = 1
),

expected as (
    select
        rosters.account_id,
        sessions.trading_date
    from sessions
    inner join rosters on sessions.roster_date = rosters.trading_date
    left join closed on rosters.account_id = closed.account_id
    where closed.close_date is null or sessions.trading_date <= closed.close_date
)

select
    expected.account_id,
    expected.trading_date,
    account_eod.account_id is not null as is_known,
    account_eod.account_id is not null and account_eod.instructions_loaded as is_complete,
    account_eod.finality,
    asked.captured_at,
    case
        when account_eod.account_id is not null then null
        when asked.account_id is null then 'NO_SNAPSHOT'
        when asked.http_status = 200 then 'INCOMPLETE_SNAPSHOT'
        else 'FETCH_FAILED'
    end as reason
from expected
left join core.account_eod
    on expected.account_id = account_eod.account_id and expected.trading_date = account_eod.trading_date
left join asked
    on expected.account_id = asked.account_id and expected.trading_date = asked.trading_date
