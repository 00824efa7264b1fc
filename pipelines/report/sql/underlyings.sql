-- P&L and exposure of the day by underlying over the accounts: an option counts with the stock that it is on.
with named as (
    select
        coalesce(underlying_instrument_id, instrument_id) as underlying_id,
        case when underlying_instrument_id is null or underlying_instrument_id = instrument_id then symbol end as own_symbol,
        -- the root of an OSI symbol, where the stock itself is not held
        osi_root(symbol) as root,
        symbol,
        quantity,
        market_value,
        realized_pnl,
        unrealized_change,
        total_pnl
    from pnl.position_daily
    where trading_date = $day and coalesce(instrument_type, '') <> 'CASH'
)

select
    coalesce(max(own_symbol), max(root), max(symbol)) as symbol,
    count(*) as positions,
    count(*) - count(total_pnl) as unknown,
    case when count(market_value) = count(*) then sum(greatest(market_value, 0)) end as long,
    case when count(market_value) = count(*) then sum(least(market_value, 0)) end as short,
    case when count(market_value) = count(*) then sum(abs(market_value)) end as gross,
    case when count(market_value) = count(*) then sum(market_value) end as net,
    case when count(realized_pnl) = count(*) then sum(realized_pnl) end as realized_pnl,
    case when count(unrealized_change) = count(*) then sum(unrealized_change) end as unrealized_change,
    case when count(total_pnl) = count(*) then sum(total_pnl) end as total_pnl
from named
group by underlying_id
order by abs(case when count(total_pnl) = count(*) then sum(total_pnl) end) desc nulls first, symbol, underlying_id
