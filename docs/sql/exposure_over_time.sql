-- How has each account's exposure moved, week by week?
-- The last known day of each week. gross is long less short (short is negative), net is long plus short; the percentages are of the account's equity, and null
-- where the broker gave none.
select
    account_id,
    trading_date,
    long_market_value,
    short_market_value,
    gross,
    net,
    gross_pct,
    net_pct,
    position_count
from pnl.exposure_daily
qualify
    trading_date = max(trading_date) over (partition by account_id, date_trunc('week', trading_date))
order by account_id, trading_date
