-- The end of day of an account: which snapshots speak for it, and the day that it is compared with. A flat account has a row too: a day without a
-- row is a day that nobody knows. RECOVERED: nobody read it, and a snapshot of the next session stands in for it (`recovered_from` says of what
-- grade); what is told of the day is then what was there when its after-hours trading ended.
with ordered as (
    select
        chosen.account_id,
        chosen.trading_date,
        chosen.run_id,
        chosen.marks_run_id,
        chosen.daily_fields_run_id,
        chosen.grade,
        chosen.finality,
        chosen.captured_at,
        chosen.instructions_loaded,
        chosen.position_count,
        chosen.known_at,
        chosen.recovered_from,
        chosen.recovered_at,
        coalesce(
            lag(chosen.trading_date) over (partition by chosen.account_id order by chosen.trading_date),
            input_earlier_eod.trading_date
        ) as prev_trading_date
    from snapshot_chosen as chosen
    left join input_earlier_eod on chosen.account_id = input_earlier_eod.account_id
),

execution_reads as (
    select
        manifest.account_id,
        manifest.run_id,
        manifest.captured_at,
        manifest.window_from
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where manifest.endpoint = 'executions' and manifest.complete and run.trading_date >= $from_date
)

select
    ordered.account_id,
    ordered.trading_date,
    ordered.run_id,
    ordered.marks_run_id,
    ordered.daily_fields_run_id,
    ordered.grade,
    ordered.finality,
    ordered.captured_at,
    ordered.prev_trading_date,
    today.session_number - before.session_number as days_covered,
    coalesce(exists (
        select 1 from execution_reads
        where
            execution_reads.account_id = ordered.account_id
            and (execution_reads.run_id = ordered.run_id or execution_reads.captured_at >= ordered.captured_at)
            -- back to the close before, on an account's first day too
            and execution_reads.window_from <= coalesce(start.regular_close, today.pre_open)
    ), false) as executions_loaded,
    ordered.instructions_loaded,
    ordered.position_count,
    ordered.known_at,
    ordered.recovered_from,
    ordered.recovered_at
from ordered
left join core.calendar as today on ordered.trading_date = today.trading_date
left join core.calendar as before on ordered.prev_trading_date = before.trading_date
left join core.calendar as start on coalesce(ordered.prev_trading_date, today.prev_trading_date) = start.trading_date
