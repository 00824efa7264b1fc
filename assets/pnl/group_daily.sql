-- Daily P&L of an account by underlying, by type of instrument and by side: each dimension sums to the account's positions.
-- A group with an unknown position has no total, and says how many it has.
with positions as (
    select
        account_id,
        trading_date,
        coalesce(underlying_instrument_id, instrument_id) as underlying,
        coalesce(instrument_type, 'UNKNOWN') as instrument_type,
        case when coalesce(nullif(quantity, 0), quantity_prev, 0) < 0 then 'SHORT' else 'LONG' end as side,
        market_value,
        realized_pnl,
        unrealized_change,
        total_pnl,
        income_estimate
    from pnl.position_daily
)

select
    account_id,
    trading_date,
    case when grouping(underlying) = 0 then 'UNDERLYING' when grouping(side) = 0 then 'SIDE' else 'INSTRUMENT_TYPE' end
        as dimension,
    coalesce(underlying, side, instrument_type) as value,
    try_cast(sum(market_value) as decimal(28, 10)) as market_value,
    try_cast(case when count(realized_pnl) = count(*) then sum(realized_pnl) end as decimal(28, 10)) as realized_pnl,
    try_cast(case when count(unrealized_change) = count(*) then sum(unrealized_change) end as decimal(28, 10))
        as unrealized_change,
    try_cast(case when count(total_pnl) = count(*) then sum(total_pnl) end as decimal(28, 10)) as total_pnl,
    try_cast(sum(income_estimate) as decimal(28, 10)) as income_estimate,
    count(*) as positions,
    count(*) - count(total_pnl) as positions_unknown
from positions
group by
    grouping sets (
        (account_id, trading_date, underlying), (account_id, trading_date, side),
        (account_id, trading_date, instrument_type)
    )
