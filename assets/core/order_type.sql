-- What type of instrument the orders of a day were for, as the run of its evening read them: it tells of what came and went between two ends of day.
select
    orders.account_id,
    orders.instrument_id,
    run.trading_date,
    max(orders.instrument_type) as instrument_type
from raw.orders
inner join core.run on orders.run_id = run.run_id
where run.trading_date between $from_date and $to_date
group by orders.account_id, orders.instrument_id, run.trading_date
