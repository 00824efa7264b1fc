-- How much does each account trade, against its own size?
-- bought and sold are at their prices, both positive, options with their multiplier. turnover is the smaller of the two over the month's average equity: 1 is the
-- whole account once over. Null where some day's fills are not known.
with days as (
    select
        account_daily.account_id,
        cast(date_trunc('month', account_daily.trading_date) as date) as month,
        account_daily.eod_equity,
        -- a day without a position has no sum, and without a fill it is 0
        case when account_eod.executions_loaded then coalesce(account_daily.bought_notional, 0) end as bought,
        case when account_eod.executions_loaded then coalesce(account_daily.sold_notional, 0) end as sold
    from pnl.account_daily
    inner join core.account_eod
        on
            account_daily.account_id = account_eod.account_id
            and account_daily.trading_date = account_eod.trading_date
)

select
    account_id,
    month,
    case when count(bought) = count(*) then sum(bought) end as total_bought,
    case when count(sold) = count(*) then sum(sold) end as total_sold,
    round(cast(least(total_bought, total_sold) as double) / nullif(avg(cast(eod_equity as double)), 0), 4) as turnover
from days
group by account_id, month
order by account_id, month
