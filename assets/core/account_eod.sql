-- The end of day of an account: which snapshots speak for it. Quantities come from the last whole one taken between the close and 20:00
-- (else from the last later one), broker's daily figures from the last of those that had not rolled, marks from the one with the official
-- closes. A flat account has a row too: a day without a row is a day that nobody knows.
with eligible as (
    select
        account_id,
        trading_date,
        run_id,
        grade,
        finality,
        rolled,
        captured_at,
        finished_at,
        instructions_complete,
        position_count
    from core.snapshot_grade
    where trading_date between $from_date and $to_date and eligible
),

quantities as (
    select
        account_id,
        trading_date,
        run_id,
        grade,
        captured_at,
        finished_at,
        instructions_complete,
        position_count
    from eligible
    qualify row_number() over (
        partition by account_id, trading_date
        order by case when grade = 'POST_CLOSE' then 0 else 1 end, captured_at desc, run_id desc
    ) = 1
),

daily_fields as (
    select account_id, trading_date, run_id
    from eligible
    where grade = 'POST_CLOSE' and not rolled
    qualify row_number() over (partition by account_id, trading_date order by captured_at desc, run_id desc) = 1
),

marks as (
    select account_id, trading_date, run_id, finality, finished_at
    from eligible
    qualify row_number() over (
        partition by account_id, trading_date
        order by case when finality = 'FINAL' then 0 else 1 end, captured_at desc, run_id desc
    ) = 1
),

chosen as (
    select
        quantities.account_id,
        quantities.trading_date,
        quantities.run_id,
        marks.run_id as marks_run_id,
        daily_fields.run_id as daily_fields_run_id,
        quantities.grade,
        marks.finality,
        quantities.captured_at,
        quantities.instructions_complete as instructions_loaded,
        quantities.position_count,
        greatest(quantities.finished_at, marks.finished_at) as known_at
    from quantities
    inner join marks
        on quantities.account_id = marks.account_id and quantities.trading_date = marks.trading_date
    left join daily_fields
        on quantities.account_id = daily_fields.account_id and quantities.trading_date = daily_fields.trading_date
),

ordered as (
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
        coalesce(
            lag(chosen.trading_date) over (partition by chosen.account_id order by chosen.trading_date),
            input_earlier_eod.trading_date
        ) as prev_trading_date
    from chosen
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
            and (before.post_close is null or execution_reads.window_from <= before.regular_close)
    ), false) as executions_loaded,
    ordered.instructions_loaded,
    ordered.position_count,
    ordered.known_at
from ordered
left join core.calendar as today on ordered.trading_date = today.trading_date
left join core.calendar as before on ordered.prev_trading_date = before.trading_date
