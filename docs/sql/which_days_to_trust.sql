-- Which days are complete, final and agreed with the broker, and what is wrong with the others?
-- The days that are not clean, the newest first; no row at all is what you want. gaps counts accounts without a known end of day, breaks and fails those of
-- quality.reconciliation and quality.finding.
with breaks as (
    select trading_date, count(*) as breaks
    from quality.reconciliation
    where status = 'BREAK'
    group by trading_date
),

fails as (
    select trading_date, count(*) as fails
    from quality.finding
    where severity = 'FAIL'
    group by trading_date
)

select
    day.trading_date,
    day.status,
    coalesce(day.finality, 'NONE') as finality,
    day.accounts_expected - coalesce(day.accounts_known, 0) as gaps,
    coalesce(breaks.breaks, 0) as breaks,
    coalesce(fails.fails, 0) as fails
from quality.day
left join breaks on day.trading_date = breaks.trading_date
left join fails on day.trading_date = fails.trading_date
where day.status <> 'COMPLETE' or day.finality is distinct from 'FINAL' or breaks.breaks > 0 or fails.fails > 0
order by day.trading_date desc
