-- What was noted of a request to trade while it was shown, sent and answered, a row each.
select
    told.run_id,
    told.account_id,
    told.item ->> 'check_name' as check_name,
    told.item ->> 'instrument_id' as instrument_id,
    told.item ->> 'value' as value,
    told.item ->> 'message' as message
from (
    select
        manifest.run_id,
        manifest.account_id,
        unnest(cast(manifest.findings as json[])) as item
    from request_sent as requests
    inner join raw.extract_manifest as manifest on requests.run_id = manifest.run_id
    where manifest.findings is not null
) as told
