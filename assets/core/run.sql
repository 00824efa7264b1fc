-- One row per run of the sync whose rows are committed: its trading date, its grade, and when it became known (the broker's clock).
-- Everything derived starts here: dlt calls rows of a load that isn't in its list of loads invalid, and so do we.
select
    extract_run.run_id,
    extract_run.trading_date,
    extract_run.grade,
    extract_run.started_at,
    extract_run.finished_at
from raw.extract_run
inner join raw._dlt_loads as committed
    on extract_run._dlt_load_id = committed.load_id and committed.status = 0
where extract_run.trading_date between $from_date and $to_date
