-- One row per trading day: COMPLETE when every expected account is whole, INCOMPLETE when not, BROKEN when an invariant failed; and of what grade its
-- end is: RECOVERED where a snapshot of the next session had to stand in for an account.
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
        expected_day.trading_date,
        count(*) as accounts_expected,
        count(*) filter (where expected_day.is_complete) as accounts_complete,
        count(*) filter (where expected_day.is_known) as accounts_known,
        count(*) filter (where account_eod.grade = 'RECOVERED') as accounts_recovered,
        bool_or(account_eod.grade = 'LATE') as any_late,
        max(account_eod.known_at) filter (where account_eod.grade = 'RECOVERED') as recovered_at,
        bool_and(expected_day.finality = 'FINAL') filter (where expected_day.is_known) as all_final
    from core.expected_day
    left join core.account_eod
        on expected_day.account_id = account_eod.account_id and expected_day.trading_date = account_eod.trading_date
    group by expected_day.trading_date
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
    greatest(runs.finished_at, counted.recovered_at) as finished_at,
    case
        when counted.accounts_recovered > 0 then 'RECOVERED'
        when counted.any_late then 'LATE'
        when counted.accounts_known > 0 then 'POST_CLOSE'
    end as grade,
    counted.accounts_recovered
from counted
left join runs on counted.trading_date = runs.trading_date
left join failed on counted.trading_date = failed.trading_date
