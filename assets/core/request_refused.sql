-- Why the broker refused a row of a request, in its words, by the row's key, else by its instrument.
select
    told.run_id,
    coalesce(told.item ->> 'value', told.item ->> 'instrument_id') as refused_key,
    max(told.item ->> 'message') as reason
from (
    select
        manifest.run_id,
        unnest(cast(manifest.findings as json[])) as item
    from request_sent as requests
    inner join raw.extract_manifest as manifest on requests.run_id = manifest.run_id
    where manifest.findings is not null
) as told
where (told.item ->> 'check_name') = 'trade_rejected'
group by all
