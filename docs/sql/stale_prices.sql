-- Which positions are valued at a price that is not the day's own, and how old is it?
-- On the last day in the books. price_days is how many trading days old the broker's closing price is; share is the position's part of the account's gross
-- exposure in per cent: what an old price can distort.
with last_day as (
    select max(trading_date) as trading_date from core.account_eod
),

exposures as (
    select
        account_id,
        sum(abs(market_value)) as gross
    from core.position_eod
    where trading_date in (select trading_date from last_day) and instrument_type <> 'CASH'
    group by account_id
)

select
    position_eod.account_id,
    position_eod.symbol,
    position_eod.price_grade,
    position_eod.closing_price_date,
    today.session_number - priced.session_number as price_days,
    position_eod.market_value,
    round(100 * cast(abs(position_eod.market_value) as double) / nullif(cast(exposures.gross as double), 0), 2)
        as share
from core.position_eod
inner join last_day on position_eod.trading_date = last_day.trading_date
inner join core.calendar as today on position_eod.trading_date = today.trading_date
left join core.calendar as priced on position_eod.closing_price_date = priced.trading_date
left join exposures on position_eod.account_id = exposures.account_id
where position_eod.closing_price_date is null or position_eod.closing_price_date < position_eod.trading_date
order by share desc, position_eod.account_id asc, position_eod.symbol asc
