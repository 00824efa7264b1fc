-- Prices of what options are on, from two weeks before the ends of day that are compared: the official close of an end of day, whoever held
-- it; else the last trade of the evening's market snapshot; else what an end of day showed, which proves nothing.
with shown as (
    select
        instrument_id,
        trading_date,
        max(eod_price) filter (where price_grade = 'OFFICIAL') as official,
        max(eod_price) filter (where price_grade = 'INDICATIVE') as indicative
    from core.position_eod
    where
        instrument_type <> 'OPTION' and instrument_type <> 'CASH'
        and price_grade in ('OFFICIAL', 'INDICATIVE')
        and trading_date >= (select coalesce(min(prev_trading_date), $from_date) from account_day) - 14
        and trading_date <= $to_date
    group by instrument_id, trading_date
)

select
    coalesce(shown.instrument_id, traded.instrument_id) as instrument_id,
    coalesce(shown.trading_date, traded.trading_date) as trading_date,
    coalesce(shown.official, traded.price, shown.indicative) as price,
    shown.official is not null as is_official,
    shown.official is not null or traded.price is not null as is_proof
from shown
full join (select instrument_id, trading_date, price from market_price where price is not null) as traded
    on shown.instrument_id = traded.instrument_id and shown.trading_date = traded.trading_date
where coalesce(shown.official, traded.price, shown.indicative) is not null
