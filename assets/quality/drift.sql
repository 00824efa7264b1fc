-- What the broker's answers had that no model knows, and which documented fields came or went between two runs: counted, never fatal.
with reads as (
    select
        run.trading_date,
        run.run_id,
        run.finished_at,
        manifest.endpoint,
        manifest.fields_seen
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where manifest.fields_seen is not null and manifest.rows_landed > 0
),

unknown as (
    select
        trading_date, run_id, endpoint, 'UNKNOWN_FIELD' as kind, item.key as name,
        cast(item.value as bigint) as row_count
    from reads
    cross join json_each(fields_seen, '$.unknown_fields') as item
    union all
    select
        trading_date, run_id, endpoint, 'UNKNOWN_VALUE' as kind, item.key as name,
        cast(item.value as bigint) as row_count
    from reads
    cross join json_each(fields_seen, '$.unknown_enums') as item
),

seen as (
    select
        trading_date,
        run_id,
        finished_at,
        endpoint,
        list_sort(list_distinct(flatten(list(cast(json_extract(fields_seen, '$.fields') as varchar[]))))) as fields
    from reads
    group by trading_date, run_id, finished_at, endpoint
),

compared as (
    select
        trading_date,
        run_id,
        endpoint,
        fields,
        lag(fields) over (partition by endpoint order by finished_at, run_id) as fields_before
    from seen
),

changed as (
    select trading_date, run_id, endpoint, 'FIELD_APPEARED' as kind, unnest(fields) as name, fields_before as others
    from compared
    where fields_before is not null
    union all
    select trading_date, run_id, endpoint, 'FIELD_VANISHED' as kind, unnest(fields_before) as name, fields as others
    from compared
    where fields_before is not null
)

select trading_date, run_id, endpoint, kind, name, cast(sum(row_count) as bigint) as row_count
from unknown
group by trading_date, run_id, endpoint, kind, name
union all
select trading_date, run_id, endpoint, kind, name, null as row_count
from changed
where not list_contains(others, name)
