-- Corporate events that the broker has told of, each in its latest form; one that a later whole answer about its instrument and date no longer
-- has was withdrawn. What is held is asked about from two weeks back until a week ahead.
with reads as (
    select
        run.run_id,
        run.trading_date,
        run.finished_at
    from core.run
    inner join raw.extract_manifest as manifest on run.run_id = manifest.run_id
    where
        manifest.endpoint = 'corporate_events' and manifest.complete and coalesce(manifest.rows_quarantined, 0) = 0
        and manifest.http_status = 200
        and run.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from account_day) - 21
),

listed as (
    select
        event.instrument_id,
        event.event_type,
        event.event_date,
        event.sequence,
        event.numerator,
        event.denominator,
        event.dividend_amount,
        run.finished_at as last_observed_at
    from raw.corporate_events as event
    inner join core.run on event.run_id = run.run_id
    where
        event.event_date >= (select coalesce(min(prev_trading_date), $from_date) from account_day) - 14
        and event.event_date <= $to_date + 14
    qualify row_number() over (
        partition by event.instrument_id, event.event_type, event.event_date, event.sequence
        order by run.finished_at desc, event.run_id desc
    ) = 1
),

-- what the last answer has still is not looked for: positions are many
missing as (
    select distinct instrument_id
    from listed
    where last_observed_at < (select max(finished_at) from reads)
),

asked as (
    select
        positions.instrument_id,
        reads.trading_date,
        max(reads.finished_at) as asked_at
    from raw.positions
    inner join reads on positions.run_id = reads.run_id
    semi join missing on positions.instrument_id = missing.instrument_id
    group by positions.instrument_id, reads.trading_date
)

select
    instrument_id,
    event_type,
    event_date,
    sequence,
    numerator,
    denominator,
    dividend_amount
from listed
where not exists (
    select 1 from asked
    where
        asked.instrument_id = listed.instrument_id and asked.asked_at > listed.last_observed_at
        and listed.event_date >= asked.trading_date - 14 and listed.event_date <= asked.trading_date + 7
)
