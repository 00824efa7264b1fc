-- What made and what lost the most money on the last day?
-- The five best and the five worst positions. basis_points is the position's P&L per 10,000 of its account's equity at the start of the day; carried and traded
-- split it into what was held overnight and what was dealt on the day.
with ranked as (
    select
        position_daily.*,
        account_daily.sod_equity,
        row_number() over (order by position_daily.total_pnl desc) as from_the_top,
        row_number() over (order by position_daily.total_pnl) as from_the_bottom
    from pnl.position_daily
    inner join pnl.account_daily
        on
            position_daily.account_id = account_daily.account_id
            and position_daily.trading_date = account_daily.trading_date
    where
        position_daily.trading_date = (select max(trading_date) from pnl.account_daily)
        and position_daily.total_pnl is not null
)

select
    account_id,
    symbol,
    status,
    quantity,
    total_pnl,
    position_pnl as carried,
    day_pnl as traded,
    round(10000 * cast(total_pnl as double) / cast(sod_equity as double), 2) as basis_points,
    quality
from ranked
where from_the_top <= 5 or from_the_bottom <= 5
order by total_pnl desc, account_id asc, symbol asc
