-- Exposure of every account at the end of the day, cash apart.
select
    account_id,
    position_count,
    long_market_value,
    short_market_value,
    gross,
    net,
    gross_pct,
    net_pct
from pnl.exposure_daily
where trading_date = $day
order by gross desc, account_id
