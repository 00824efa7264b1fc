-- How long after the close do our end-of-day runs finish, and how long do they take?
-- Minutes after the official close, over every run that was an end of day; the LATE ones are those of the night. A median that creeps up is a broker or a line that
-- gets slower, long before an evening is missed. Times are the broker's clock.
select
    run.grade,
    count(*) as runs,
    min(date_diff('minute', calendar.regular_close, run.finished_at)) as earliest_minutes,
    cast(median(date_diff('minute', calendar.regular_close, run.finished_at)) as double) as median_minutes,
    max(date_diff('minute', calendar.regular_close, run.finished_at)) as latest_minutes,
    max(date_diff('second', run.started_at, run.finished_at)) as longest_run_seconds
from core.run
inner join core.calendar on run.trading_date = calendar.trading_date
where run.grade in ('POST_CLOSE', 'LATE')
group by run.grade
order by run.grade desc
