-- P&L and exposure of the day by type of instrument over the accounts.
select
    coalesce(instrument_type, 'UNKNOWN') as instrument_type,
    count(*) as positions,
    count(*) - count(total_pnl) as unknown,
    case when count(market_value) = count(*) then sum(market_value) end as market_value,
    case when count(realized_pnl) = count(*) then sum(realized_pnl) end as realized_pnl,
    case when count(unrealized_change) = count(*) then sum(unrealized_change) end as unrealized_change,
    case when count(total_pnl) = count(*) then sum(total_pnl) end as total_pnl
from pnl.position_daily
where trading_date = $day
group by coalesce(instrument_type, 'UNKNOWN')
order by instrument_type
