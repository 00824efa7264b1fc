-- Daily P&L of every position: realized against cost, change of unrealized, their total, and the same total split into carried position and
-- day's trading. The best source that the day allows is used and named; what nobody can know is null with a flag, never zero.
select
    step.account_id,
    step.instrument_id,
    step.trading_date,
    step.symbol,
    step.underlying_instrument_id,
    step.instrument_type,
    step.prev_trading_date,
    step.days_covered,
    case
        when step.is_opening then 'OPENING'
        when step.quantity_prev = 0 and step.quantity = 0 then 'INTRADAY_ROUND_TRIP'
        when step.quantity_prev = 0 then 'OPENED'
        when step.quantity = 0 then 'CLOSED'
        when sign(step.quantity) <> sign(step.quantity_prev) then 'FLIPPED'
        else 'HELD'
    end as status,
    try_cast(case when step.is_opening then null else step.quantity_prev end as decimal(24, 8)) as quantity_prev,
    try_cast(step.quantity as decimal(24, 8)) as quantity,
    step.sod_price,
    step.eod_price,
    step.price_grade,
    try_cast(step.multiplier as decimal(12, 4)) as multiplier,
    try_cast(step.market_value as decimal(28, 10)) as market_value,
    try_cast(step.cost_basis as decimal(28, 10)) as cost_basis,
    try_cast(step.unrealized_pnl as decimal(28, 10)) as unrealized_pnl,
    case when step.executions_loaded then step.bought_quantity end as bought_quantity,
    case when step.executions_loaded and step.unpriced_fills = 0 then step.bought_notional end as bought_notional,
    case when step.executions_loaded then step.sold_quantity end as sold_quantity,
    case when step.executions_loaded and step.unpriced_fills = 0 then step.sold_notional end as sold_notional,
    try_cast(total.realized_pnl as decimal(28, 10)) as realized_pnl,
    try_cast(total.unrealized_change as decimal(28, 10)) as unrealized_change,
    try_cast(total.total_pnl as decimal(28, 10)) as total_pnl,
    -- carried in from the day before, and traded on the day: the rest of the total
    try_cast(
        case when not (step.split_unmatched or step.split_suspected) then total.carried_pnl end as decimal(28, 10)
    ) as position_pnl,
    try_cast(
        case
            -- nothing is told apart across a split that does not fit
            when step.split_unmatched or step.split_suspected then null
            when total.total_source = 'EXECUTIONS' then total.total_pnl - step.adjusted_cash - total.carried_pnl
            when
                not step.executions_loaded and step.implied_trade = 0 and step.fills = 0
                and not differs(total.total_pnl, total.carried_pnl)
                then 0
        end as decimal(28, 10)
    ) as day_pnl,
    try_cast(step.income_estimate as decimal(28, 10)) as income_estimate,
    try_cast(step.transferred_value as decimal(28, 10)) as transferred_value,
    case
        when total.pnl_semantics = 'since_prior_close' then try_cast(step.reported_realized as decimal(28, 10))
    end as realized_since_close,
    try_cast(step.reported_realized + step.reported_unrealized as decimal(28, 10)) as reported_total,
    try_cast(
        case when total.total_source in ('EXECUTIONS', 'SNAPSHOT') then total.total_pnl end as decimal(28, 10)
    ) as derived_total,
    try_cast(step.reported_realized + step.reported_unrealized - total.total_pnl as decimal(28, 10)) as recon_diff,
    total.pnl_semantics,
    total.semantics_source,
    total.total_source,
    quality_proof.quality,
    coalesce(split(nullif(concat_ws(
        ',',
        step.event_flags,
        case when contains(step.event_flags, 'EXERCISED') and step.quantity <> 0 then 'EXERCISED_PARTIAL' end,
        case when total.total_source = 'REPORTED' then 'SEMANTICS_' || upper(total.pnl_semantics) end,
        case when step.days_covered > 1 then 'MULTI_DAY' end,
        case when total.total_source = 'REPORTED' and step.seen_flat then 'PARTIAL' end,
        case when step.symbol_prev <> step.symbol then 'SYMBOL_CHANGED' end,
        case when step.has_split then 'SPLIT' end,
        case when step.split_unmatched then 'SPLIT_UNMATCHED' end,
        case when step.after_snapshot then 'AFTER_SNAPSHOT' end,
        case when step.split_suspected then 'SPLIT_SUSPECT' end,
        case when total.total_source = 'ACCOUNT_RESIDUAL' then 'FROM_ACCOUNT_RESIDUAL' end,
        case when step.adjustment_kind = 'TRANSFER' and step.adjusted_quantity > 0 then 'TRANSFER_IN' end,
        case when step.adjustment_kind = 'TRANSFER' and step.adjusted_quantity < 0 then 'TRANSFER_OUT' end,
        case when step.adjustment_kind <> 'TRANSFER' then step.adjustment_kind end,
        case when step.is_stranger then 'ADJUSTMENT_OF_NOTHING' end,
        case
            when
                total.total_source = 'SNAPSHOT' and step.quantity_prev = 0 and step.quantity <> 0
                and step.moved_quantity = 0
                then 'OPENED_UNCONFIRMED'
        end,
        case
            when
                step.executions_loaded and not step.quantities_agree and not step.is_opening and not step.outcome_open
                then 'UNEXPLAINED_QUANTITY'
        end,
        case when step.outcome_open and total.total_source is null then 'EXPIRY_OUTCOME_UNKNOWN' end,
        case when step.outcome_assumed and total.total_source in ('EXECUTIONS', 'SNAPSHOT') then 'EXPIRY_ASSUMED' end,
        case when step.unpriced_fills > 0 then 'UNPRICED_FILLS' end,
        case when step.basis_step is null and not step.is_opening then 'COST_UNKNOWN' end,
        case when step.only_opened and step.implied_trade = 0 and step.basis_step <> 0 then 'COST_RESTATED' end,
        case when step.unit_is_assumed then 'UNIT_ASSUMED' end,
        case when step.multiplier is null then 'UNIT_UNKNOWN' end,
        case when step.price_grade in ('STALE', 'IMPLIED', 'RESTATED') then 'PRICE_' || step.price_grade end,
        case
            when step.quantity is null then 'NOT_ROLLED_BACK'
            when step.market_value is null then 'VALUE_UNKNOWN'
        end,
        case when step.market_value_prev is null and not step.is_opening then 'VALUE_BEFORE_UNKNOWN' end,
        case when total.total_source is null and not step.is_opening then 'REALIZED_UNKNOWN' end
    ), ''), ','), no_flags()) as flags,
    step.run_id,
    greatest(step.inputs_known_at, total.residual_known_at) as inputs_known_at
from position_step as step
inner join pnl_total as total
    on
        step.account_id = total.account_id
        and step.trading_date = total.trading_date
        and step.instrument_id = total.instrument_id
inner join quality_proof
    on
        (total.total_source is not distinct from quality_proof.total_source)
        and quality_proof.is_weaker = coalesce(
            total.total_source = 'EXECUTIONS' and (step.outcome_assumed or step.unit_is_assumed or step.by_restated_close), false
        )
