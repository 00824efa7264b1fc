-- What did we say about a day on its own evening, and what do we say now?
-- Here for every day that reads differently now; put a condition on trading_date for one day. For the whole table as it stood at one instant, ask the macro:
-- from pnl.account_daily_as_known(timestamptz '2005-03-04 22:00:00+00')
select
    today.account_id,
    today.trading_date,
    then_known.total_pnl as total_pnl_that_evening,
    then_known.finality as finality_that_evening,
    today.total_pnl,
    today.finality,
    today.version,
    today.known_from as known_since
from pnl.account_daily as today
inner join pnl.account_daily_version as then_known
    on
        today.account_id = then_known.account_id
        and today.trading_date = then_known.trading_date
        and then_known.version = 1
where today.version > 1
order by today.trading_date, today.account_id
