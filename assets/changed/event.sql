-- Days near corporate events that a new run tells first, in another form than before, or no longer, of what was held or traded by then. A split
-- is looked for two sessions around its date, and stands for its double two sessions further.
with runs as (
    select 'before' as told, run_id, trading_date, finished_at from core.run
    union all
    select 'after' as told, run_id, trading_date, finished_at from core.run
    union all
    select 'after' as told, run_id, trading_date, finished_at from new_run
),

reads as (
    select runs.told, runs.run_id, runs.trading_date, runs.finished_at
    from runs
    inner join raw.extract_manifest as manifest on runs.run_id = manifest.run_id
    where
        manifest.endpoint = 'corporate_events' and manifest.complete and coalesce(manifest.rows_quarantined, 0) = 0
        and manifest.http_status = 200
        and runs.trading_date >= (select min(trading_date) from new_run) - 35
),

listed as (
    select
        runs.told,
        event.instrument_id,
        event.event_type,
        event.event_date,
        event.sequence,
        (event.numerator, event.denominator, event.dividend_amount) as terms,
        runs.finished_at
    from raw.corporate_events as event
    inner join runs on event.run_id = runs.run_id
    where
        event.event_date >= (select min(trading_date) from new_run) - 14
        or (event.instrument_id, event.event_date) in (
            select (instrument_id, event_date) from raw.corporate_events where run_id in (select run_id from new_run)
        )
    qualify row_number() over (
        partition by runs.told, event.instrument_id, event.event_type, event.event_date, event.sequence
        order by runs.finished_at desc, event.run_id desc
    ) = 1
),

-- what the last answer has still is not looked for: positions are many
missing as (
    select distinct listed.instrument_id
    from listed
    where listed.finished_at < (select max(reads.finished_at) from reads where reads.told = listed.told)
),

held as (
    select distinct positions.run_id, positions.instrument_id
    from raw.positions
    semi join missing on positions.instrument_id = missing.instrument_id
    where positions.run_id in (select run_id from reads)
),

asked as (
    select reads.told, reads.trading_date, reads.finished_at, held.instrument_id
    from reads
    inner join held on reads.run_id = held.run_id
),

standing as (
    select told, instrument_id, event_type, event_date, sequence, terms
    from listed
    anti join asked
        on
            listed.told = asked.told
            and listed.instrument_id = asked.instrument_id
            and listed.finished_at < asked.finished_at
            and listed.event_date >= asked.trading_date - 14
            and listed.event_date <= asked.trading_date + 7
),

differing as (
    select instrument_id, event_type, event_date
    from standing
    group by instrument_id, event_type, event_date, sequence, terms
    having count(*) = 1
),

known as (
    select instrument_id, trading_date from core.position_eod
    union all
    select instrument_id, trading_date from core.trade_flow
)

select distinct calendar.trading_date
from differing
inner join core.calendar
    on
        calendar.trading_date >= differing.event_date - case when event_type = 'STOCK_SPLIT' then 10 else 0 end
        and calendar.trading_date <= differing.event_date + case when event_type = 'STOCK_SPLIT' then 10 else 4 end
semi join known on differing.instrument_id = known.instrument_id and known.trading_date <= differing.event_date + 14
