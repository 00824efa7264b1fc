-- Requests to trade as they were sent: when, of which account, the operation, and how each ended, by its answer or by what was found out later.
select
    run.run_id,
    run.trading_date,
    run.started_at as requested_at,
    manifest.account_id,
    manifest.endpoint as operation,
    manifest.endpoint like 'close%' as is_order,
    coalesce(resolved.status, manifest.status) as outcome,
    manifest.http_status,
    manifest.error,
    resolved.findings
from raw.extract_run as landed
inner join core.run on landed.run_id = run.run_id
inner join raw.extract_manifest as manifest on landed.run_id = manifest.run_id
left join core.run as later on landed.run_id || '-resolved' = later.run_id
left join raw.extract_manifest as resolved on later.run_id = resolved.run_id
where landed.trigger = 'trading' and landed.run_id not like '%-resolved'
