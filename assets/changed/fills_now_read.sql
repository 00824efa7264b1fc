-- Days whose fills nobody had read until a new run read them whole, from far enough back.
select distinct account_eod.trading_date
from raw.extract_manifest as manifest
inner join new_run on manifest.run_id = new_run.run_id
inner join core.account_eod on manifest.account_id = account_eod.account_id
inner join core.calendar as today on account_eod.trading_date = today.trading_date
left join core.calendar as start on coalesce(account_eod.prev_trading_date, today.prev_trading_date) = start.trading_date
where
    manifest.endpoint = 'executions' and manifest.complete and not account_eod.executions_loaded
    and manifest.window_from <= coalesce(start.regular_close, today.pre_open)
