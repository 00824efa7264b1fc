-- What all accounts together have returned since the month and the year began, in per cent: null where a session of it is not known of one of them.
select
    "window",
    twr * 100 as twr
from pnl.performance
where account_id is null and as_of = $day and "window" in ('MTD', 'YTD')
