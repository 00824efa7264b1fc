-- Which accounts are short options that expire within the next seven days, and how far in the money are they?
-- Counted from the last day in the books. contracts is negative: short. in_the_money is per share: positive means that assignment is likely; null where the
-- underlying's price is not in the books that day, because nobody holds it.
with last_day as (
    select max(trading_date) as trading_date from core.account_eod
),

prices as (
    select
        instrument_id,
        max(eod_price) as eod_price
    from core.position_eod, last_day
    where position_eod.trading_date = last_day.trading_date and position_eod.price_grade = 'OFFICIAL'
    group by instrument_id
)

select
    option.account_id,
    option.symbol,
    option.option_expiry,
    option.option_expiry - option.trading_date as days_left,
    option.quantity as contracts,
    option.option_strike,
    prices.eod_price as underlying_price,
    case option.option_right
        when 'CALL' then prices.eod_price - option.option_strike
        when 'PUT' then option.option_strike - prices.eod_price
    end as in_the_money,
    option.market_value
from core.position_eod as option
inner join last_day on option.trading_date = last_day.trading_date
left join prices on option.underlying_instrument_id = prices.instrument_id
where option.quantity < 0 and option.option_expiry between last_day.trading_date and last_day.trading_date + 7
order by option.option_expiry, option.account_id, option.symbol
