-- P&L of the period by underlying (an option counts with the stock that it is on) or by symbol, before fees, with how many days of a position are not
-- known. The last row, no position, is what positions don't tell: sessions that the broker's history alone has, and what an account made beside its positions.
with positions as (
    select
        case when $by_underlying then coalesce(underlying_instrument_id, instrument_id) else instrument_id end as group_id,
        case when underlying_instrument_id is null or underlying_instrument_id = instrument_id then symbol end as own_symbol,
        osi_root(symbol) as root,
        symbol,
        instrument_type,
        trading_date,
        status = 'OPENING' as is_opening,
        realized_pnl,
        unrealized_change,
        total_pnl,
        income_estimate,
        bought_notional,
        sold_notional
    from pnl.position_daily
    where trading_date between $first_date and $day and coalesce(instrument_type, '') <> 'CASH'
),

grouped as (
    select
        case when $by_underlying then coalesce(max(own_symbol), max(root), max(symbol)) else max(symbol) end as symbol,
        case when $by_underlying then null else max(instrument_type) end as instrument_type,
        count(distinct trading_date) as sessions,
        count(*) filter (where total_pnl is null and not is_opening) as unknown,
        sum(realized_pnl) as realized_sum,
        sum(unrealized_change) as unrealized_sum,
        sum(total_pnl) as total_sum,
        count(*) filter (where realized_pnl is null and not is_opening) = 0 as is_split,
        sum(income_estimate) as income,
        case when count(*) filter (where bought_notional is null and not is_opening) = 0 then sum(bought_notional) end as bought,
        case when count(*) filter (where sold_notional is null and not is_opening) = 0 then sum(sold_notional) end as sold,
        group_id
    from positions
    group by group_id
),

accounts as (
    select
        count(distinct trading_date) filter (where source = 'BROKER') as by_broker,
        sum(total_pnl) as total_pnl
    from pnl.account_history
    where trading_date between $first_date and $day
),

listed as (
    select
        symbol,
        instrument_type,
        sessions,
        unknown,
        case when unknown = 0 and is_split then coalesce(realized_sum, 0) end as realized_pnl,
        case when unknown = 0 and is_split then coalesce(unrealized_sum, 0) end as unrealized_change,
        case when unknown = 0 then coalesce(total_sum, 0) end as total_pnl,
        income,
        bought,
        sold,
        group_id,
        0 as place
    from grouped
    union all
    select
        'no position',
        null,
        max(accounts.by_broker),
        null,
        null,
        null,
        max(accounts.total_pnl) - coalesce(sum(grouped.total_sum), 0) as total_pnl,
        null,
        null,
        null,
        null,
        1 as place
    from accounts
    left join grouped on true
)

select
    symbol,
    instrument_type,
    sessions,
    unknown,
    realized_pnl,
    unrealized_change,
    total_pnl,
    income,
    bought,
    sold,
    group_id
from listed
where place = 0 or total_pnl <> 0
order by place, abs(total_pnl) desc nulls first, symbol, group_id
