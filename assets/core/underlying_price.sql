-- Prices of what options are on, as the ends of day of the last two weeks have them, whoever held it: the official close, else the last price.
select
    instrument_id,
    trading_date,
    coalesce(max(eod_price) filter (where price_grade = 'OFFICIAL'), max(eod_price)) as price,
    bool_or(price_grade = 'OFFICIAL') as is_official
from core.position_eod
where
    instrument_type <> 'OPTION' and instrument_type <> 'CASH' and eod_price is not null
    and price_grade in ('OFFICIAL', 'INDICATIVE')
    and trading_date between $from_date - 14 and $to_date
group by instrument_id, trading_date
