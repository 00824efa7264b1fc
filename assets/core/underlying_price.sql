-- Prices of what options are on, as the ends of day of the last two weeks have them, whoever held it.
select
    instrument_id,
    trading_date,
    max(eod_price) as price
from core.position_eod
where
    instrument_type <> 'OPTION' and instrument_type <> 'CASH'
    and trading_date between $from_date - 14 and $to_date
group by instrument_id, trading_date
