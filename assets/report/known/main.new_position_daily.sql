-- The current versions of the window, under the name that a build gives what it has just derived.
select *
from pnl.position_daily
where
    trading_date between (select from_date from main.asked) and (select trading_date from main.asked)
