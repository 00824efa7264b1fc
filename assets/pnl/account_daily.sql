-- Daily P&L of every account whose day is known: the sum of its positions, beside the broker's own figures for the day. Where positions are
-- unknown the account's total is the broker's, and what the known positions leave of it is unattributed; without either it is null. A figure too large for its column is null, too.
with positions as (
    select
        account_id,
        trading_date,
        count(*) filter (where total_pnl is not null) as positions_known,
        count(*) filter (where total_pnl is null) as positions_unknown,
        case when count(realized_pnl) = count(*) then sum(realized_pnl) end as realized_pnl,
        case when count(unrealized_change) = count(*) then sum(unrealized_change) end as unrealized_change,
        sum(total_pnl) as total_pnl,
        case when bool_and(income_estimate is not null) then sum(income_estimate) end as income_estimate,
        sum(transferred_value) as transferred_value,
        case when bool_and(bought_notional is not null) then sum(bought_notional) end as bought_notional,
        case when bool_and(sold_notional is not null) then sum(sold_notional) end as sold_notional,
        max(quality_rank(quality)) as worst_quality,
        max(pnl_semantics) as pnl_semantics,
        max(semantics_source) as semantics_source,
        max(inputs_known_at) as inputs_known_at
    from new_position_daily
    group by account_id, trading_date
),

summed as (
    select
        days.account_id,
        days.trading_date,
        days.prev_trading_date,
        days.days_covered,
        days.grade,
        days.finality,
        days.run_id,
        coalesce(positions.positions_known, 0) as positions_known,
        coalesce(positions.positions_unknown, 0) as positions_unknown,
        days.executions_loaded,
        -- a flat account's first day says nothing of what it traded, unless its fills were read
        coalesce(positions.positions_unknown, 0) = 0
        and (
            days.prev_trading_date is not null or coalesce(positions.positions_known, 0) > 0 or days.executions_loaded
        ) as all_known,
        case when positions.account_id is null then 0 else positions.realized_pnl end as known_realized,
        case when positions.account_id is null then 0 else positions.unrealized_change end as known_unrealized,
        coalesce(positions.total_pnl, 0) as known_total,
        -- without the fills nobody knows what else was traded, and the broker's own total is the account's
        case
            when not all_known or (not days.executions_loaded and broker.covered_pnl is not null)
                then broker.covered_pnl - known_total
            else 0
        end as unattributed,
        case when positions.account_id is null then 0 else positions.income_estimate end as income_estimate,
        case when positions.account_id is null and days.executions_loaded then 0 else positions.bought_notional end
            as bought_notional,
        case when positions.account_id is null and days.executions_loaded then 0 else positions.sold_notional end
            as sold_notional,
        coalesce(positions.transferred_value, 0) as transferred_value,
        coalesce(positions.worst_quality, quality_rank('EXACT')) as worst_quality,
        positions.pnl_semantics,
        positions.semantics_source,
        broker.realized_pnl as broker_realized,
        broker.unrealized_pnl as broker_unrealized,
        broker.net_pnl as broker_net,
        broker.gross_pnl,
        broker.covered_pnl,
        broker.sod_equity,
        broker.eod_equity,
        before.eod_equity as eod_equity_prev,
        case
            when broker.eod_equity is not null and broker.sod_equity is not null and broker.net_pnl is not null
                then broker.eod_equity - broker.sod_equity - broker.net_pnl
            when positions.transferred_value <> 0 then positions.transferred_value
        end as flow,
        greatest(days.known_at, positions.inputs_known_at, broker.known_at) as inputs_known_at
    from core.account_eod as days
    left join positions
        on days.account_id = positions.account_id and days.trading_date = positions.trading_date
    left join core.broker_day as broker
        on days.account_id = broker.account_id and days.trading_date = broker.trading_date
    left join core.broker_day as before
        on
            days.account_id = before.account_id
            and days.prev_trading_date = before.trading_date
            and days.days_covered = 1
    where days.trading_date between $from_date and $to_date
)

select
    account_id,
    trading_date,
    prev_trading_date,
    days_covered,
    grade,
    finality,
    -- what is not attributed is neither the one nor the other
    try_cast(case when all_known and unattributed = 0 then known_realized end as decimal(28, 10)) as realized_pnl,
    try_cast(case when all_known and unattributed = 0 then known_unrealized end as decimal(28, 10)) as unrealized_change,
    try_cast(known_total + unattributed as decimal(28, 10)) as total_pnl,
    try_cast(unattributed as decimal(28, 10)) as unattributed_pnl,
    try_cast(income_estimate as decimal(28, 10)) as income_estimate,
    try_cast(transferred_value as decimal(28, 10)) as transferred_value,
    try_cast(bought_notional as decimal(28, 10)) as bought_notional,
    try_cast(sold_notional as decimal(28, 10)) as sold_notional,
    try_cast(broker_realized as decimal(28, 10)) as broker_realized,
    try_cast(broker_unrealized as decimal(28, 10)) as broker_unrealized,
    try_cast(broker_net as decimal(28, 10)) as broker_net,
    try_cast(broker_net - gross_pnl as decimal(28, 10)) as fees_and_other,
    try_cast(flow as decimal(28, 10)) as flow,
    try_cast(sod_equity - eod_equity_prev as decimal(28, 10)) as overnight_adjustment,
    try_cast(sod_equity as decimal(28, 10)) as sod_equity,
    try_cast(eod_equity as decimal(28, 10)) as eod_equity,
    daily_return(broker_net, sod_equity, flow) as daily_return,
    daily_return(broker_net, sod_equity, 0) as daily_return_on_sod,
    positions_known,
    positions_unknown,
    pnl_semantics,
    semantics_source,
    case
        when unattributed is null then 'UNKNOWN'
        when not all_known or unattributed <> 0 then 'IMPLIED'
        when executions_loaded then quality_of(worst_quality)
        -- nothing was traded that nobody saw: that is an assumption
        else quality_of(greatest(worst_quality, quality_rank('ASSUMED')))
    end as quality,
    run_id,
    inputs_known_at
from summed
