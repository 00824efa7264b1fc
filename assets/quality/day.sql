-- One row per trading day: COMPLETE when every expected account is whole, INCOMPLETE when not, BROKEN when an invariant failed.
with runs as (
    select
        trading_date,
        max(finished_at) as finished_at
    from core.run
    group by trading_date
),

failed as (
    select
        trading_date,
        count(*) as failures
    from quality.day_finding
    where severity = 'FAIL'
    group by trading_date
),

counted as (
    select
        trading_date,
        count(*) as accounts_expected,
        count(*) filter (where is_complete) as accounts_complete,
        count(*) filter (where is_known) as accounts_known,
        bool_and(finality = 'FINAL') filter (where is_known) as all_final
    from core.expected_day
    group by trading_date
)

select
    counted.trading_date,
    case
        when failed.failures > 0 then 'BROKEN'
        when counted.accounts_complete = counted.accounts_expected then 'COMPLETE'
        else 'INCOMPLETE'
    end as status,
    counted.accounts_expected,
    counted.accounts_complete,
    counted.accounts_known,
    case when counted.accounts_known > 0 then case when counted.all_final then 'FINAL' else 'FLASH' end end as finality,
    runs.finished_at
from counted
left join runs on counted.trading_date = runs.trading_date
left join failed on counted.trading_date = failed.trading_date
