-- A position that vanished has no price of its own; the day's price of the same instrument in another account will do, or the evening's market
-- snapshot.
with vanished as (
    select account_id, trading_date, instrument_id
    from position_change
    where eod_price is null
),

-- of these alone: nearly every position has a price
held_elsewhere as (
    select
        instrument_id,
        trading_date,
        max(eod_price) as eod_price
    from core.position_eod
    semi join vanished
        on position_eod.instrument_id = vanished.instrument_id and position_eod.trading_date = vanished.trading_date
    where price_grade = 'OFFICIAL' and trading_date between $from_date and $to_date
    group by instrument_id, trading_date
)

select
    vanished.account_id,
    vanished.trading_date,
    vanished.instrument_id,
    coalesce(held_elsewhere.eod_price, market_price.price) as eod_price
from vanished
left join held_elsewhere
    on vanished.instrument_id = held_elsewhere.instrument_id and vanished.trading_date = held_elsewhere.trading_date
left join market_price
    on vanished.instrument_id = market_price.instrument_id and vanished.trading_date = market_price.trading_date
where coalesce(held_elsewhere.eod_price, market_price.price) is not null
