-- What a person should know about a day: what the day itself has to say (FAIL: an invariant of the books does not hold, the day is BROKEN), what is
-- unusual beside the days before it, and what became of a closed day after it was closed.
with recent as (
    select
        trading_date,
        account_id,
        run_id,
        total_pnl,
        median(case when total_pnl <> 0 then abs(cast(total_pnl as double)) end) over weeks as usual,
        count(nullif(total_pnl, 0)) over weeks as days
    from pnl.account_daily
    window weeks as (
        partition by account_id order by trading_date
        range between interval 40 days preceding and interval 1 day preceding
    )
)

select trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id
from quality.day_finding
union all
select
    trading_date,
    account_id,
    null as instrument_id,
    'unusual_pnl' as check_name,
    'WARN' as severity,
    cast(total_pnl as string) as value,
    cast(round(usual, 2) as string) as expected,
    'the day''s P&L is more than twenty times what is usual for the account' as message,
    run_id
from recent
where days >= 10 and usual > 0 and abs(total_pnl) > 20 * usual
union all
select
    trading_date,
    account_id,
    null as instrument_id,
    check_name,
    'WARN' as severity,
    value,
    expected,
    message,
    run_id
from closed_day_check
