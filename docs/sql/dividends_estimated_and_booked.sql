-- Which dividends should we have received or paid, and did the broker book them?
-- estimate is quantity times amount on the ex-date, negative on a short position. booked is everything that the broker's net P&L has beyond the P&L of
-- positions that day, fees included, so a small difference is a fee. Neither is part of total_pnl.
with estimates as (
    select
        account_id,
        trading_date,
        string_agg(symbol, ', ' order by symbol) as symbols,
        sum(income_estimate) as estimate
    from pnl.position_daily
    where income_estimate <> 0
    group by account_id, trading_date
)

select
    estimates.trading_date,
    estimates.account_id,
    estimates.symbols,
    estimates.estimate,
    account_daily.fees_and_other as booked,
    account_daily.fees_and_other - estimates.estimate as difference
from estimates
inner join pnl.account_daily
    on estimates.account_id = account_daily.account_id and estimates.trading_date = account_daily.trading_date
order by estimates.trading_date, estimates.account_id
