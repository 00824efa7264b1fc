-- Days whose fills nobody had read until a new run read them whole, from far enough back.
select distinct account_eod.trading_date
from raw.extract_manifest as manifest
inner join new_run on manifest.run_id = new_run.run_id
inner join core.account_eod on manifest.account_id = account_eod.account_id
left join core.calendar as before on account_eod.prev_trading_date = before.trading_date
where
    manifest.endpoint = 'executions' and manifest.complete and not account_eod.executions_loaded
    and manifest.window_from <= coalesce(before.regular_close, account_eod.captured_at)
