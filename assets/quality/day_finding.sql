-- What the day itself has to say: what the reading noticed, where a row contradicts itself (the broker's number is never corrected),
-- and every invariant of the books that does not hold (FAIL: the day is BROKEN).
with noticed as (
    -- not json_each: each of its rows has all findings of the read with it, and there may be thousands
    select
        run.trading_date,
        manifest.account_id,
        unnest(cast(manifest.findings as json[])) as item,
        manifest.run_id
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where run.trading_date between $from_date and $to_date and manifest.findings is not null
),

read_findings as (
    select
        trading_date,
        account_id,
        item ->> 'instrument_id' as instrument_id,
        item ->> 'check_name' as check_name,
        -- a read that failed leaves a gap; only the books themselves can be broken
        case item ->> 'severity' when 'INFO' then 'INFO' else 'WARN' end as severity,
        item ->> 'value' as value,
        item ->> 'expected' as expected,
        item ->> 'message' as message,
        run_id
    from noticed
),

run_checks as (
    select
        run.trading_date,
        extract_run.clock_skew_ms,
        extract_run.run_id
    from raw.extract_run
    inner join core.run on extract_run.run_id = run.run_id
    where run.trading_date between $from_date and $to_date and not extract_run.is_loopback
)

select trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id
from read_findings
union all
select trading_date, account_id, instrument_id, check_name, severity, value, expected, message, run_id
from row_check
union all
select
    trading_date,
    null as account_id,
    null as instrument_id,
    'clock_skew' as check_name,
    'WARN' as severity,
    cast(clock_skew_ms as varchar) as value,
    '120000' as expected,
    'this machine''s clock and the broker''s differ by more than two minutes' as message,
    run_id
from run_checks
where abs(clock_skew_ms) > 120000
union all
select trading_date, account_id, instrument_id, check_name, 'FAIL' as severity, value, expected, message, run_id
from invariant
