-- How far a day agrees with the broker's own figures, and those with each other: OK, WARN, BREAK or NOT_CHECKED, the difference (ours less the
-- broker's) and, while it lasts, the age of a difference in trading days. A session that the broker's history alone tells of is here too.
with latest as (
    select max(calendar.session_number) as session_number
    from core.calendar
    inner join quality.comparison on calendar.trading_date = comparison.trading_date
)

select
    comparison.trading_date,
    comparison.account_id,
    comparison.check_name,
    comparison.ours,
    comparison.broker,
    comparison.difference,
    comparison.tolerance,
    comparison.status,
    case
        when comparison.status in ('BREAK', 'WARN') then cast(latest.session_number - calendar.session_number as integer)
    end as age_days,
    comparison.run_id
from (
    select trading_date, account_id, check_name, ours, broker, difference, tolerance, status, run_id
    from quality.comparison
    union all
    select trading_date, account_id, check_name, ours, broker, difference, tolerance, status, run_id
    from history_comparison
) as comparison
inner join core.calendar on comparison.trading_date = calendar.trading_date
cross join latest
