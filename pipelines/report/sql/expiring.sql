-- Options held at the end of the day that expire within five sessions, with the price of what they are on where that is held too.
with prices as (
    select
        instrument_id,
        max(eod_price) as price,
        max_by(closing_price_date, eod_price) as price_date
    from core.position_eod
    where trading_date = $day
    group by instrument_id
)

select
    held.symbol,
    held.account_id,
    held.option_right,
    held.option_strike as strike,
    held.option_expiry as expiry,
    (
        select count(*) from core.calendar
        where calendar.trading_date > $day and calendar.trading_date <= held.option_expiry
    ) as sessions_left,
    held.quantity,
    held.market_value,
    prices.price as underlying_price,
    prices.price_date,
    case held.option_right
        when 'CALL' then prices.price - held.option_strike
        when 'PUT' then held.option_strike - prices.price
    end as in_the_money
from core.position_eod as held
left join prices on held.underlying_instrument_id = prices.instrument_id
where held.trading_date = $day and held.option_expiry is not null and sessions_left <= 5
order by held.option_expiry, abs(held.market_value) desc, held.account_id, held.symbol
