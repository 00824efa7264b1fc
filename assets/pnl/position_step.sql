-- A position's way from one end of day to the next, with what its P&L is counted from: what events and adjustments moved, what must have been
-- traded for the quantities to agree, the steps of cost and unrealized P&L, and the broker's daily figures where they count.
select
    change.account_id,
    change.instrument_id,
    change.trading_date,
    change.run_id,
    change.symbol,
    change.symbol_prev,
    change.underlying_instrument_id,
    change.instrument_type,
    change.prev_trading_date,
    change.prev_trading_date is null as is_opening,
    change.days_covered,
    change.executions_loaded,
    change.quantity_prev,
    change.quantity_prev_split,
    change.quantity,
    change.split_numerator <> change.split_denominator as has_split,
    change.split_unmatched,
    change.after_snapshot,
    change.sod_price,
    change.eod_price,
    change.price_grade,
    coalesce(change.price_grade = 'RESTATED', false) or coalesce(change.sod_price_grade = 'RESTATED', false) as by_restated_close,
    change.multiplier,
    change.unit_is_assumed and change.fills > 0 as unit_is_assumed,
    change.market_value,
    change.market_value_prev,
    change.cost_basis,
    change.unrealized_pnl,
    change.fills,
    change.unpriced_fills,
    change.traded_quantity,
    change.bought_quantity,
    change.sold_quantity,
    case when change.fills = 0 then 0 else value_of(1, change.bought_per_share, change.multiplier) end as bought_notional,
    case when change.fills = 0 then 0 else value_of(1, change.sold_per_share, change.multiplier) end as sold_notional,
    sold_notional - bought_notional as trade_cash,
    change.adjusted_quantity,
    change.adjusted_cash,
    change.adjustment_kind,
    change.is_stranger,
    change.transferred_value,
    change.seen_flat,
    -- nothing happened, or a sum too large for its column: the one is zero, the other unknown
    case when events.instrument_id is null then 0 else events.quantity end + change.adjusted_quantity as moved_quantity,
    case when events.instrument_id is null then 0 else events.cash end + change.adjusted_cash as moved_cash,
    case when events.instrument_id is null then 0 else events.value_moved end + change.adjusted_value as moved_value,
    case when events.instrument_id is null then 0 else events.basis_moved end + change.adjusted_cost_basis as moved_basis,
    coalesce(events.came_and_went or sign(events.quantity) * sign(change.adjusted_quantity) < 0, false) as came_and_went,
    events.flags as event_flags,
    open_outcome.instrument_id is not null as outcome_open,
    assumed_outcome.instrument_id is not null as outcome_assumed,
    coalesce(events.only_expiry, false) as only_expiry,
    case when events.instrument_id is null then moved_quantity <> 0 else not events.only_expiry end as quantity_is_moved,
    case when dividends.instrument_id is null then 0 else dividends.income_estimate end as income_estimate,
    -- what expired is worth nothing, whatever price its row still shows
    case
        when events.only_expiry then 0
        -- where the value follows another price than the close, that is the price of the P&L
        when change.quantity <> 0 and abs(change.market_value - change.value_recalc) > cent()
            then as_quantity(
                cast(change.market_value as double)
                / nullif(cast(change.quantity as double) * cast(change.multiplier as double), 0)
            )
        else coalesce(change.eod_price, elsewhere.eod_price)
    end as price,
    -- the broker's daily figures count only both together; a row that is flat has nothing left to be unrealized
    case
        when change.daily_unrealized_pnl is not null or change.quantity = 0 then change.daily_realized_pnl
    end as reported_realized,
    case
        when change.daily_realized_pnl is not null
            then coalesce(change.daily_unrealized_pnl, case when change.quantity = 0 then 0 end)
    end as reported_unrealized,
    -- what must have been traded for the quantities to agree
    change.quantity - change.quantity_prev_split - moved_quantity as implied_trade,
    implied_trade = change.traded_quantity as quantities_agree,
    -- cost unchanged while the quantity jumped: a split that nobody announced
    change.quantity <> change.quantity_prev and change.traded_quantity = 0 and moved_quantity = 0
    and change.quantity_prev <> 0 and change.quantity_prev_split <> change.quantity
    and sign(change.quantity) = sign(change.quantity_prev) and coalesce(change.cost_basis = change.cost_basis_prev, false)
        as split_suspected,
    change.market_value - change.market_value_prev - moved_value as value_step,
    change.unrealized_pnl - change.unrealized_pnl_prev - (moved_value - moved_basis) as unrealized_step,
    change.cost_basis - change.cost_basis_prev - moved_basis as basis_step,
    -- nothing was closed, so nothing was realized, however the cost was restated
    moved_quantity = 0 and events.instrument_id is null and change.adjustment_kind is null
    and (
        (change.quantity_prev >= 0 and change.quantity >= 0 and change.sold_quantity = 0)
        or (change.quantity_prev <= 0 and change.quantity <= 0 and change.bought_quantity = 0)
    ) as only_opened,
    greatest(change.known_at, change.prev_known_at, change.trades_known_at, events.known_at) as inputs_known_at
from position_change as change
left join event_effect as events
    on
        change.account_id = events.account_id
        and change.trading_date = events.trading_date
        and change.instrument_id = events.instrument_id
left join dividend_income as dividends
    on
        change.account_id = dividends.account_id
        and change.trading_date = dividends.trading_date
        and change.instrument_id = dividends.instrument_id
left join price_elsewhere as elsewhere
    on
        change.account_id = elsewhere.account_id
        and change.trading_date = elsewhere.trading_date
        and change.instrument_id = elsewhere.instrument_id
left join open_outcome
    on
        change.account_id = open_outcome.account_id
        and change.trading_date = open_outcome.trading_date
        and change.instrument_id = open_outcome.instrument_id
left join assumed_outcome
    on
        change.account_id = assumed_outcome.account_id
        and change.trading_date = assumed_outcome.trading_date
        and change.instrument_id = assumed_outcome.instrument_id
-- an underlying that could have been delivered, and was not, is no row
where
    change.quantity is distinct from 0 or change.quantity_prev is distinct from 0 or change.fills > 0
    or change.adjustment_kind is not null or coalesce(change.daily_realized_pnl, 0) <> 0
    or events.instrument_id is not null or open_outcome.instrument_id is not null
