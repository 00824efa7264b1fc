-- Options held at the end of the day that expire within five sessions, with the price of what they are on where that is held too.
with prices as (
    select
        instrument_id,
        max(eod_price) as price
    from core.position_eod
    where trading_date = $day
    group by instrument_id
)

select
    held.symbol,
    held.account_id,
    contract.option_right,
    contract.option_strike as strike,
    contract.option_expiry as expiry,
    (
        select count(*) from core.calendar
        where calendar.trading_date > $day and calendar.trading_date <= contract.option_expiry
    ) as sessions_left,
    held.quantity,
    held.market_value,
    prices.price as underlying_price,
    case contract.option_right
        when 'CALL' then prices.price - contract.option_strike
        when 'PUT' then contract.option_strike - prices.price
    end as in_the_money
from core.position_eod as held
inner join daybook.core.position_eod as contract
    on
        held.account_id = contract.account_id
        and held.instrument_id = contract.instrument_id
        and held.trading_date = contract.trading_date
left join prices on held.underlying_instrument_id = prices.instrument_id
where held.trading_date = $day and contract.option_expiry is not null and sessions_left <= 5
order by contract.option_expiry, abs(held.market_value) desc, held.account_id, held.symbol
