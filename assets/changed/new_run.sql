-- Runs that are committed and that no build has seen.
select extract_run.run_id, extract_run.trading_date, extract_run.finished_at
from raw.extract_run
inner join raw._dlt_loads as committed
    on extract_run._dlt_load_id = committed.load_id and committed.status = 0
where extract_run.run_id not in (select run_id from core.run)
