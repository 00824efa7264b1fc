-- Prices of what options that are gone were on, at the ends of day that are compared and at their last sessions: the official close of an end
-- of day, whoever held it; else the last trade of the evening's market snapshot; else what an end of day showed, which proves nothing.
with days as (
    select 1 as day
    union all
    select 2 as day
    union all
    select 3 as day
),

wanted as (
    select distinct
        option_gone.underlying_instrument_id as instrument_id,
        case which.day
            when 1 then option_gone.prev_trading_date
            when 2 then option_gone.trading_date
            else case when option_gone.last_session >= option_gone.prev_trading_date - 14 then option_gone.last_session end
        end as trading_date
    from option_gone
    cross join days as which
),

shown as (
    select
        wanted.instrument_id,
        wanted.trading_date,
        max(position.eod_price) filter (where position.price_grade = 'OFFICIAL') as official,
        max(position.eod_price) filter (where position.price_grade = 'INDICATIVE') as indicative
    from core.position_eod as position
    inner join wanted
        on position.instrument_id = wanted.instrument_id and position.trading_date = wanted.trading_date
    where
        position.instrument_type <> 'OPTION' and position.instrument_type <> 'CASH'
        and position.price_grade in ('OFFICIAL', 'INDICATIVE')
        -- most days no option goes: then no position of the weeks before is read
        and position.trading_date >= (select coalesce(min(trading_date), $to_date + 1) from wanted)
        and position.trading_date <= $to_date
    group by wanted.instrument_id, wanted.trading_date
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
