-- How the day stands: its status, how final its marks are, how many accounts are whole, whether they are in one currency (figures in different
-- ones are never added), and since when changes count as restatements.
select
    day.status,
    day.finality,
    day.grade,
    day.accounts_recovered,
    day.accounts_expected,
    day.accounts_complete,
    day.accounts_known,
    (select count(distinct broker_day.currency) <= 1 from core.broker_day) as is_one_currency,
    (
        select case when count(distinct broker_day.currency) = 1 then any_value(broker_day.currency) end
        from core.broker_day
    ) as currency,
    coalesce(
        max(run.finished_at) filter (where run.grade = 'POST_CLOSE'),
        max(run.finished_at)
    ) as reported_before
from quality.day
left join core.run on run.trading_date < day.trading_date
where day.trading_date = $day
group by all
