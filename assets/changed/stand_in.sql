-- Days that a new run may stand in for, as a snapshot of the session after them, or by the fills that it read back to them.
select calendar.prev_trading_date as trading_date
from new_run
inner join raw.extract_run on new_run.run_id = extract_run.run_id
inner join core.calendar on new_run.trading_date = calendar.trading_date
where is_stand_in(extract_run.grade)
union
select calendar.prev_trading_date as trading_date
from raw.extract_manifest as fills
inner join new_run on fills.run_id = new_run.run_id
inner join raw.extract_manifest as positions
    on
        fills.account_id = positions.account_id
        and positions.endpoint = 'positions' and positions.complete
        and fills.captured_at >= positions.captured_at
        and fills.window_from <= positions.captured_at
inner join core.run on positions.run_id = run.run_id and is_stand_in(run.grade)
inner join core.calendar on run.trading_date = calendar.trading_date
left join core.account_eod
    on fills.account_id = account_eod.account_id and calendar.prev_trading_date = account_eod.trading_date
where fills.endpoint = 'executions' and fills.complete and account_eod.account_id is null
