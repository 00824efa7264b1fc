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
    change.sod_price,
    change.eod_price,
    change.price_grade,
    change.multiplier,
    change.market_value,
    change.cost_basis,
    change.unrealized_pnl,
    change.fills,
    change.unpriced_fills,
    change.traded_quantity,
    change.bought_quantity,
    change.sold_quantity,
    value_of(1, change.bought_per_share, change.multiplier) as bought_notional,
    value_of(1, change.sold_per_share, change.multiplier) as sold_notional,
    value_of(1, change.sold_per_share - change.bought_per_share, change.multiplier) as trade_cash,
    change.adjusted_quantity,
    change.adjustment_kind,
    change.transferred_value,
    change.seen_flat,
    -- nothing happened, or what no column could hold: the one is zero, the other unknown
    case when events.instrument_id is null then 0 else events.quantity end + change.adjusted_quantity as moved_quantity,
    case when events.instrument_id is null then 0 else events.cash end + change.adjusted_cash as moved_cash,
    case when events.instrument_id is null then 0 else events.value_moved end + change.adjusted_value as moved_value,
    case when events.instrument_id is null then 0 else events.basis_moved end + change.adjusted_cost_basis as moved_basis,
    events.flag as event_flag,
    coalesce(events.only_expiry, false) as only_expiry,
    case when dividends.instrument_id is null then 0 else dividends.income_estimate end as income_estimate,
    -- what expired is worth nothing, whatever price its row still shows
    case when events.only_expiry then 0 else coalesce(change.eod_price, elsewhere.eod_price) end as price,
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
    and sign(change.quantity) = sign(change.quantity_prev) and change.cost_basis = change.cost_basis_prev
        as split_suspected,
    change.unrealized_pnl - change.unrealized_pnl_prev - (moved_value - moved_basis) as unrealized_step,
    change.cost_basis - change.cost_basis_prev - moved_basis as basis_step,
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
-- an underlying that could have been delivered, and was not, is no row
where
    change.quantity <> 0 or change.quantity_prev <> 0 or change.fills > 0
    or change.adjustment_kind is not null or coalesce(change.daily_realized_pnl, 0) <> 0
    or events.instrument_id is not null
