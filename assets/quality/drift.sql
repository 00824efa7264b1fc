-- What the broker's answers had that no model knows, and which documented fields came or went between two readings: counted, never fatal.
-- The parts of one reading, whose runs have its token in their ids, are of different accounts and say together which fields there were.
with reads as (
    select
        run.trading_date,
        run.run_id,
        coalesce(nullif(regexp_extract(run.run_id, '-([0-9a-f]{8})-[0-9]{2}-[0-9a-f]{4}$', 1), ''), run.run_id) as reading,
        run.finished_at,
        manifest.endpoint,
        manifest.fields_seen
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where manifest.fields_seen is not null and manifest.rows_landed > 0
),

-- names are unnested beside nothing but the run's: a row of json_each has the whole answer's fields with it, and an
-- answer may have thousands of them
unknown as (
    select
        trading_date,
        run_id,
        endpoint,
        'UNKNOWN_FIELD' as kind,
        unnest(json_keys(fields_seen, '$.unknown_fields')) as name,
        unnest(cast(json_extract(fields_seen, '$.unknown_fields.*') as bigint[])) as row_count
    from reads
    union all
    select
        trading_date,
        run_id,
        endpoint,
        'UNKNOWN_VALUE' as kind,
        unnest(json_keys(fields_seen, '$.unknown_enums')) as name,
        unnest(cast(json_extract(fields_seen, '$.unknown_enums.*') as bigint[])) as row_count
    from reads
),

field_seen as (
    select distinct
        reading,
        endpoint,
        unnest(cast(json_extract(fields_seen, '$.fields') as varchar[])) as name
    from reads
),

compared as (
    select
        trading_date,
        reading,
        max(run_id) as run_id,
        endpoint,
        lag(reading) over (partition by endpoint order by max(finished_at), max(run_id)) as reading_before
    from reads
    group by trading_date, reading, endpoint
),

changed as (
    select compared.trading_date, compared.run_id, compared.endpoint, 'FIELD_APPEARED' as kind, now_seen.name
    from compared
    inner join field_seen as now_seen on compared.reading = now_seen.reading and compared.endpoint = now_seen.endpoint
    left join field_seen as before
        on
            compared.reading_before = before.reading and compared.endpoint = before.endpoint
            and now_seen.name = before.name
    where compared.reading_before is not null and before.name is null
    union all
    select compared.trading_date, compared.run_id, compared.endpoint, 'FIELD_VANISHED' as kind, before.name
    from compared
    inner join field_seen as before on compared.reading_before = before.reading and compared.endpoint = before.endpoint
    left join field_seen as now_seen
        on compared.reading = now_seen.reading and compared.endpoint = now_seen.endpoint and before.name = now_seen.name
    where now_seen.name is null
)

select trading_date, run_id, endpoint, kind, name, cast(sum(row_count) as bigint) as row_count
from unknown
group by trading_date, run_id, endpoint, kind, name
union all
select trading_date, run_id, endpoint, kind, name, null as row_count
from changed
