-- What did each underlying make this month, its options included?
-- One row per underlying, the best first, all accounts together. A row with positions_unknown above 0 has no total: what it made is not known, not 0.
with last_day as (
    select max(trading_date) as trading_date from quality.day
),

positions as (
    select
        position_daily.*,
        coalesce(underlying_instrument_id, instrument_id) as underlying,
        -- an option's symbol begins with that of its underlying
        case when instrument_type = 'OPTION' then trim(symbol[:6]) else symbol end as root
    from pnl.position_daily, last_day
    where
        date_trunc('month', position_daily.trading_date) = date_trunc('month', last_day.trading_date)
        and position_daily.trading_date <= last_day.trading_date
)

select
    max(root) as symbol,
    case when count(total_pnl) = count(*) then sum(total_pnl) end as total_pnl,
    case when count(realized_pnl) = count(*) then sum(realized_pnl) end as realized_pnl,
    case when count(unrealized_change) = count(*) then sum(unrealized_change) end as unrealized_change,
    count(distinct instrument_id) as instruments,
    count(*) - count(total_pnl) as positions_unknown
from positions
group by underlying
order by total_pnl desc nulls last, symbol asc
