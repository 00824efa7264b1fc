-- What each snapshot of an account is worth: when it was taken, whether it is whole, whether it may be an end of day,
-- how many of its prices are the day's official closes, and whether the broker had already rolled its daily figures to the next day.
with runs as (
    select run_id, trading_date, grade, finished_at
    from core.run
    where trading_date between $from_date and $to_date
),

landed as (
    select
        positions.run_id,
        positions.account_id,
        count(*) as rows_landed,
        count(*) filter (where positions.instrument_type <> 'CASH') as priced_rows,
        count(*) filter (
            where positions.instrument_type <> 'CASH' and positions.closing_price_date = runs.trading_date
        ) as official_rows,
        count(*) filter (where positions.instrument_type <> 'CASH' and positions.quantity <> 0) as position_count,
        count(*) filter (
            where coalesce(positions.daily_realized_pnl, 0) <> 0 or coalesce(positions.daily_unrealized_pnl, 0) <> 0
        ) > 0 as has_daily_fields
    from raw.positions
    inner join runs on positions.run_id = runs.run_id
    group by positions.run_id, positions.account_id
),

reads as (
    select
        runs.run_id,
        runs.trading_date,
        runs.grade,
        runs.finished_at,
        manifest.account_id,
        manifest.captured_at,
        manifest.complete,
        manifest.rows_landed as rows_promised,
        manifest.http_status,
        manifest.error,
        instructions.complete as instructions_complete
    from runs
    inner join raw.extract_manifest as manifest
        on runs.run_id = manifest.run_id and manifest.endpoint = 'positions'
    left join raw.extract_manifest as instructions
        on
            manifest.run_id = instructions.run_id
            and manifest.account_id = instructions.account_id
            and instructions.endpoint = 'position_instructions'
),

graded as (
    select
        reads.run_id,
        reads.account_id,
        reads.trading_date,
        reads.grade,
        reads.captured_at,
        reads.finished_at,
        reads.complete and reads.rows_promised = coalesce(landed.rows_landed, 0) as complete,
        coalesce(reads.instructions_complete, false) as instructions_complete,
        coalesce(landed.position_count, 0) as position_count,
        coalesce(landed.priced_rows, 0) as priced_rows,
        coalesce(landed.official_rows, 0) as official_rows,
        coalesce(landed.has_daily_fields, false) as has_daily_fields,
        reads.http_status,
        reads.error
    from reads
    left join landed
        on reads.run_id = landed.run_id and reads.account_id = landed.account_id
)

select
    run_id,
    account_id,
    trading_date,
    grade,
    captured_at,
    finished_at,
    complete,
    instructions_complete,
    position_count,
    case
        when priced_rows > 0
            then as_share(cast(official_rows as double) / nullif(priced_rows, 0))
    end as official_price_share,
    not has_daily_fields and coalesce(max(has_daily_fields) over earlier_that_day, false) as rolled,
    complete and is_end_of_day(grade) as eligible,
    case when official_rows = priced_rows then 'FINAL' else 'FLASH' end as finality,
    http_status,
    error
from graded
window earlier_that_day as (
    partition by account_id, trading_date order by captured_at, run_id
    rows between unbounded preceding and 1 preceding
)
