-- A position that vanished has no price of its own; the day's price of the same instrument in another account will do.
select
    vanished.account_id,
    vanished.trading_date,
    vanished.instrument_id,
    max(position_eod.eod_price) as eod_price
from position_change as vanished
inner join core.position_eod
    on vanished.instrument_id = position_eod.instrument_id and vanished.trading_date = position_eod.trading_date
where
    vanished.eod_price is null and position_eod.price_grade = 'OFFICIAL'
    and position_eod.trading_date between $from_date and $to_date
group by vanished.account_id, vanished.trading_date, vanished.instrument_id
