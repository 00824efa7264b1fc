-- Days of fills that a run lists, again or for the first time: when it was seen last is a column of a fill.
select distinct calendar.trading_date
from raw.executions
semi join telling_run on executions.run_id = telling_run.run_id
inner join core.calendar
    on executions.transaction_time > calendar.owns_from and executions.transaction_time <= calendar.post_close
