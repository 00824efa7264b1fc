-- How has each account's exposure moved, week by week?
-- The last known day of each week, half a year back. gross is long less short (short is negative), net is long plus short; the percentages are of the account's
-- equity, and null where the broker gave none.
with week_ends as (
    select max(trading_date) as trading_date
    from core.account_eod
    where trading_date > (select max(trading_date) - interval 26 weeks from core.account_eod)
    group by account_id, date_trunc('week', trading_date)
),

-- the sums of pnl.exposure_daily, made of the positions of these days alone
held as (
    select
        account_id,
        trading_date,
        sum(case when market_value > 0 then market_value else 0 end) as long_market_value,
        sum(case when market_value < 0 then market_value else 0 end) as short_market_value,
        count(*) as position_count
    from core.position_eod
    where
        trading_date in (select distinct trading_date from week_ends)
        and instrument_type <> 'CASH' and quantity <> 0
    group by account_id, trading_date
),

days as (
    select
        account_eod.account_id,
        account_eod.trading_date,
        nullif(cast(coalesce(broker_day.equity, broker_day.eod_equity) as double), 0) as equity
    from core.account_eod
    left join core.broker_day
        on account_eod.account_id = broker_day.account_id and account_eod.trading_date = broker_day.trading_date
    where account_eod.trading_date in (select trading_date from week_ends)
)

select
    days.account_id,
    days.trading_date,
    coalesce(held.long_market_value, 0) as long_market_value,
    coalesce(held.short_market_value, 0) as short_market_value,
    coalesce(held.long_market_value - held.short_market_value, 0) as gross,
    coalesce(held.long_market_value + held.short_market_value, 0) as net,
    try_cast(round(100 * cast(gross as double) / days.equity, 8) as decimal(18, 8)) as gross_pct,
    try_cast(round(100 * cast(net as double) / days.equity, 8) as decimal(18, 8)) as net_pct,
    coalesce(held.position_count, 0) as position_count
from days
left join held on days.account_id = held.account_id and days.trading_date = held.trading_date
qualify
    days.trading_date
    = max(days.trading_date) over (partition by days.account_id, date_trunc('week', days.trading_date))
order by days.account_id, days.trading_date
