-- The current versions of the window, under the name that a build gives what it has just derived.
select *
from pnl.account_daily
where
    trading_date between getvariable('from_date') and getvariable('trading_date')
