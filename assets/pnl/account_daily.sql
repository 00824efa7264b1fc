-- Daily P&L of every account whose day is known: the sum of its positions, beside the broker's own figures for the day. Where positions are
-- unknown the account's total is the broker's, and what the known positions leave of it is unattributed; without either it is null. So is what no column could hold.
with positions as (
    select
        account_id,
        trading_date,
        count(*) filter (where total_pnl is not null) as positions_known,
        count(*) filter (where total_pnl is null) as positions_unknown,
        sum(realized_pnl) as realized_pnl,
        sum(unrealized_change) as unrealized_change,
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
        -- a flat account's first day says nothing of what it traded
        coalesce(positions.positions_unknown, 0) = 0
        and (days.prev_trading_date is not null or positions.positions_known > 0) as all_known,
        coalesce(positions.realized_pnl, 0) as known_realized,
        coalesce(positions.unrealized_change, 0) as known_unrealized,
        coalesce(positions.total_pnl, 0) as known_total,
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
    try_cast(case when all_known then known_realized end as decimal(28, 10)) as realized_pnl,
    try_cast(case when all_known then known_unrealized end as decimal(28, 10)) as unrealized_change,
    try_cast(case when all_known then known_total else covered_pnl end as decimal(28, 10)) as total_pnl,
    try_cast(case when all_known then 0 else covered_pnl - known_total end as decimal(28, 10)) as unattributed_pnl,
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
    -- an inflow is there from the start of the day, an outflow until its end
    try_cast(round(
        cast(broker_net as double) / nullif(cast(sod_equity + greatest(flow, 0) as double), 0), 10
    ) as decimal(18, 10)) as daily_return,
    try_cast(round(
        cast(broker_net as double) / nullif(cast(sod_equity as double), 0), 10
    ) as decimal(18, 10)) as daily_return_on_sod,
    positions_known,
    positions_unknown,
    pnl_semantics,
    semantics_source,
    case
        when not all_known and covered_pnl is not null then 'IMPLIED'
        when not all_known then 'UNKNOWN'
        else quality_of(worst_quality)
    end as quality,
    run_id,
    inputs_known_at
from summed
