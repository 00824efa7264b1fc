-- Of each account's day that nobody read the end of, the snapshot of the next session that may stand in for it: taken before the next close, its
-- positions whole, with a known end of day before it (`anchor_date`) since whose close all fills were read (`fills_known_at`; null where they were not).
-- Before the open is better than in the session, official closes of the day are better than older ones.
with mornings as (
    select
        run.run_id,
        run.grade,
        run.finished_at,
        calendar.trading_date,
        calendar.post_close
    from core.run
    inner join core.calendar on run.trading_date = calendar.next_trading_date
    where is_stand_in(run.grade) and calendar.trading_date between $from_date and $to_date
),

reads as (
    select
        mornings.run_id,
        mornings.grade,
        mornings.finished_at,
        mornings.trading_date,
        mornings.post_close,
        manifest.account_id,
        manifest.captured_at,
        manifest.rows_landed
    from mornings
    inner join raw.extract_manifest as manifest
        on mornings.run_id = manifest.run_id and manifest.endpoint = 'positions' and manifest.complete
    anti join core.snapshot_grade as evening
        on
            manifest.account_id = evening.account_id
            and mornings.trading_date = evening.trading_date
            and evening.eligible
            and evening.trading_date between $from_date and $to_date
),

landed as (
    select
        reads.run_id,
        reads.account_id,
        count(*) as rows_landed,
        count(*) filter (
            where positions.instrument_type <> 'CASH' and positions.closing_price_date is distinct from reads.trading_date
        ) as other_rows
    from raw.positions
    inner join reads on positions.run_id = reads.run_id and positions.account_id = reads.account_id
    group by reads.run_id, reads.account_id
),

anchors as (
    select
        reads.run_id,
        reads.account_id,
        coalesce(max(evening.trading_date), max(earlier.anchor_date)) as anchor_date
    from reads
    left join core.snapshot_grade as evening
        on
            reads.account_id = evening.account_id
            and reads.trading_date > evening.trading_date
            and evening.eligible
            and evening.trading_date between $from_date and $to_date
    left join input_earlier_eod as earlier on reads.account_id = earlier.account_id
    group by reads.run_id, reads.account_id
),

-- a list with a row that could not be read says nothing of what it lacks
lists as (
    select
        manifest.account_id,
        manifest.run_id,
        manifest.captured_at,
        manifest.window_from,
        run.finished_at
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where
        manifest.endpoint = 'executions' and manifest.complete and coalesce(manifest.rows_quarantined, 0) = 0
        and run.trading_date >= $from_date
),

fills_read as (
    select
        reads.run_id,
        reads.account_id,
        min(lists.finished_at) as known_at
    from reads
    inner join anchors on reads.run_id = anchors.run_id and reads.account_id = anchors.account_id
    inner join core.calendar on anchors.anchor_date = calendar.trading_date
    inner join lists
        on
            reads.account_id = lists.account_id
            and (lists.run_id = reads.run_id or lists.captured_at >= reads.captured_at)
            and lists.window_from <= calendar.regular_close
    group by reads.run_id, reads.account_id
)

select
    reads.account_id,
    reads.trading_date,
    reads.run_id,
    reads.grade,
    reads.captured_at,
    reads.post_close,
    anchors.anchor_date,
    case when coalesce(landed.other_rows, 0) = 0 then 'FINAL' else 'FLASH' end as finality,
    coalesce(instructions.complete, false) as instructions_complete,
    fills_read.known_at as fills_known_at,
    greatest(reads.finished_at, fills_read.known_at) as known_at
from reads
inner join anchors on reads.run_id = anchors.run_id and reads.account_id = anchors.account_id
left join landed on reads.run_id = landed.run_id and reads.account_id = landed.account_id
left join fills_read on reads.run_id = fills_read.run_id and reads.account_id = fills_read.account_id
left join raw.extract_manifest as instructions
    on
        reads.run_id = instructions.run_id
        and reads.account_id = instructions.account_id
        and instructions.endpoint = 'position_instructions'
where reads.rows_landed = coalesce(landed.rows_landed, 0)
qualify row_number() over (
    partition by reads.account_id, reads.trading_date
    order by fills_known_at is null, reads.grade = 'INTRADAY', finality = 'FLASH', reads.captured_at, reads.run_id
) = 1
