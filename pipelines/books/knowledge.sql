-- When the books of a day became what they are, as known at an instant: its last run of an evening (or, where nobody read that, of the snapshot that
-- it was recovered from), or the last version of it or of a day before, be it told by the broker's history.
with told as (
    select finished_at from core.run
    where trading_date = $day and is_end_of_day(grade)
    union all
    select known_from as finished_at from pnl.account_daily_version
    where trading_date = $day and grade = 'RECOVERED'
)

select
    (select max(finished_at) from told where finished_at <= $known_at) as last_run,
    (select min(finished_at) from told) as first_run,
    (
        select max(known_from) from pnl.account_daily_version
        where trading_date <= $day and known_from <= $known_at
    ) as account_known,
    (
        select max(known_from) from pnl.position_daily_version
        where trading_date <= $day and known_from <= $known_at
    ) as position_known,
    (
        select max(known_from) from pnl.missed_day_version
        where trading_date <= $day and known_from <= $known_at
    ) as history_known
