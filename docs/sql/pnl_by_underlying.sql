-- What did each underlying make this month, its options included?
-- One row per underlying, the best first, all accounts together. A row with positions_unknown above 0 has no total: what it made is not known, not 0. days_not_whole counts
-- the days of the month that are not known of every account: the sums are without what nobody knows of them.
with month as (
    select
        trading_date,
        accounts_known < accounts_expected as is_part
    from quality.day
    where date_trunc('month', trading_date) = (select date_trunc('month', max(trading_date)) from quality.day)
),

instruments as (
    select
        instrument_id,
        coalesce(underlying_instrument_id, instrument_id) as underlying,
        -- an option's symbol begins with that of its underlying
        case when instrument_type = 'OPTION' then trim(symbol[:6]) else symbol end as root,
        sum(total_pnl) as total_pnl,
        sum(realized_pnl) as realized_pnl,
        sum(unrealized_change) as unrealized_change,
        count(*) as days,
        count(total_pnl) as days_known,
        count(realized_pnl) as days_realized,
        count(unrealized_change) as days_unrealized
    from pnl.position_daily
    where trading_date in (select trading_date from month)
    group by instrument_id, underlying_instrument_id, instrument_type, symbol
)

select
    max(root) as symbol,
    case when sum(days_known) = sum(days) then sum(total_pnl) end as total_pnl,
    case when sum(days_realized) = sum(days) then sum(realized_pnl) end as realized_pnl,
    case when sum(days_unrealized) = sum(days) then sum(unrealized_change) end as unrealized_change,
    count(distinct instrument_id) as instruments,
    cast(sum(days) - sum(days_known) as bigint) as positions_unknown,
    (select count(*) from month where is_part) as days_not_whole
from instruments
group by underlying
order by total_pnl desc nulls last, symbol asc
