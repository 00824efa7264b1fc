-- What people said was transferred around a recovered day (adjustments.csv), by instrument: up to it since the last end of day that was read, and on
-- the session after it.
select
    recovered_day.account_id,
    recovered_day.trading_date,
    line.instrument_id,
    cast(coalesce(sum(line.quantity) filter (where line.trading_date <= recovered_day.trading_date), 0) as double) as before,
    cast(coalesce(sum(line.quantity) filter (where line.trading_date > recovered_day.trading_date), 0) as double) as later
from recovered_day
inner join core.position_adjustment as line
    on
        recovered_day.account_id = line.account_id
        and recovered_day.anchor_date < line.trading_date
        and recovered_day.next_trading_date >= line.trading_date
where line.kind = 'TRANSFER'
group by recovered_day.account_id, recovered_day.trading_date, line.instrument_id
