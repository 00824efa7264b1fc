-- A position at two ends of day, side by side, with everything known to have happened between them: fills, splits and adjustments.
select
    account_day.account_id,
    pair.instrument_id,
    account_day.trading_date,
    account_day.run_id,
    account_day.prev_trading_date,
    account_day.days_covered,
    account_day.executions_loaded,
    account_day.instructions_loaded,
    account_day.captured_at,
    account_day.known_at,
    account_day.prev_known_at,
    trades.known_at as trades_known_at,
    coalesce(pair.symbol, trades.symbol, delivery.symbol) as symbol,
    pair.symbol_prev,
    coalesce(pair.underlying_instrument_id, trades.underlying_instrument_id, option_contract.underlying_instrument_id)
        as underlying_instrument_id,
    coalesce(
        pair.instrument_type,
        order_type.instrument_type,
        case
            when coalesce(option_contract.id, trades.underlying_instrument_id, osi_terms(trades.symbol)) is not null then 'OPTION'
            when trades.symbol is not null and is_called_like_a_share(trades.symbol) then 'COMMON_STOCK'
        end
    ) as instrument_type,
    -- an option that came and went since the last end of day has its terms from its contract, or from its fills' symbol
    coalesce(pair.option_expiry, option_contract.expiry, osi_expiry(osi_terms(trades.symbol))) as option_expiry,
    coalesce(pair.option_strike, cast(option_contract.strike_price as decimal(24, 8)), osi_strike(osi_terms(trades.symbol)))
        as option_strike,
    coalesce(pair.option_right, option_contract.contract_type, osi_right(osi_terms(trades.symbol))) as option_right,
    -- of what no snapshot ever held: an option's contract tells it, else it is the usual one; what is not called like a share has none
    case
        when pair.instrument_type is not null then pair.multiplier
        when option_contract.multiplier is not null then try_cast(option_contract.multiplier as decimal(12, 4))
        when trades.underlying_instrument_id is not null or osi_terms(trades.symbol) is not null then 100
        when is_called_like_a_share(trades.symbol) then 1
    end as multiplier,
    coalesce(pair.unit_is_assumed, false)
    or (
        pair.instrument_type is null and option_contract.multiplier is null
        and (trades.underlying_instrument_id is not null or osi_terms(trades.symbol) is not null)
    ) as unit_is_assumed,
    pair.quantity,
    pair.market_value,
    pair.cost_basis,
    pair.unrealized_pnl,
    pair.value_recalc,
    pair.eod_price,
    pair.price_grade,
    coalesce(pair.daily_realized_pnl, seen_flat.daily_realized_pnl) as daily_realized_pnl,
    seen_flat.instrument_id is not null as seen_flat,
    pair.daily_unrealized_pnl,
    pair.quantity_prev,
    pair.market_value_prev,
    pair.cost_basis_prev,
    pair.unrealized_pnl_prev,
    pair.value_recalc_prev,
    pair.sod_price,
    pair.sod_price_grade,
    coalesce(splits.numerator, 1) as split_numerator,
    coalesce(splits.denominator, 1) as split_denominator,
    -- a split is near that the quantities do not agree with, or of which the price tells otherwise
    coalesce(roll.is_near_split and not (roll.fits and coalesce(roll.price_agrees, true)), false) as split_unmatched,
    coalesce(trades.after_snapshot, false) as after_snapshot,
    coalesce(trades.fills, 0) as fills,
    coalesce(trades.unpriced_fills, 0) as unpriced_fills,
    case when trades.instrument_id is null then 0 else trades.net_quantity end as traded_quantity,
    case when trades.instrument_id is null then 0 else trades.bought_quantity end as bought_quantity,
    case when trades.instrument_id is null then 0 else trades.sold_quantity end as sold_quantity,
    case when trades.instrument_id is null then 0 else trades.bought_per_share end as bought_per_share,
    case when trades.instrument_id is null then 0 else trades.sold_per_share end as sold_per_share,
    coalesce(adjustments.quantity, 0) as said_quantity,
    coalesce(adjustments.pays_a_fraction, false) as pays_a_fraction,
    coalesce(adjustments.settled_in_cash, false) as settled_in_cash,
    coalesce(adjustments.cash, 0) as adjusted_cash,
    coalesce(adjustments.value, 0) as adjusted_value,
    case when adjustments.instrument_id is null then 0 else adjustments.cost_basis end as adjusted_cost_basis,
    coalesce(adjustments.transferred_value, 0) as transferred_value,
    adjustments.kind as adjustment_kind,
    stranger.instrument_id is not null as is_stranger,
    case
        when split_numerator = split_denominator then pair.quantity_prev
        else as_quantity(
            cast(pair.quantity_prev as double) * cast(split_numerator as double) / cast(split_denominator as double)
        )
    end as quantity_prev_split,
    pair.quantity - quantity_prev_split - traded_quantity as untraded_quantity,
    -- cash in lieu is paid for the part of a share that is missing
    case
        when
            pays_a_fraction
            and abs(untraded_quantity - said_quantity) < 1
            and sign(untraded_quantity - said_quantity) = -sign(pair.quantity_prev)
            then try_cast(untraded_quantity as decimal(24, 8))
        else said_quantity
    end as adjusted_quantity,
    -- what left or arrived unexplained, after splits, fills and adjustments; signed like a quantity
    untraded_quantity - adjusted_quantity as unexplained
from position_pair as pair
inner join account_day
    on pair.account_id = account_day.account_id and pair.trading_date = account_day.trading_date
left join trade_between as trades
    on
        pair.account_id = trades.account_id
        and pair.trading_date = trades.trading_date
        and pair.instrument_id = trades.instrument_id
left join adjustment_effect as adjustments
    on
        pair.account_id = adjustments.account_id
        and pair.trading_date = adjustments.trading_date
        and pair.instrument_id = adjustments.instrument_id
left join stranger
    on
        pair.account_id = stranger.account_id
        and pair.trading_date = stranger.trading_date
        and pair.instrument_id = stranger.instrument_id
left join split_effect as splits
    on
        pair.account_id = splits.account_id
        and pair.trading_date = splits.trading_date
        and pair.instrument_id = splits.instrument_id
left join roll
    on
        pair.account_id = roll.account_id
        and pair.trading_date = roll.day
        and pair.instrument_id = roll.instrument_id
left join possible_delivery as delivery
    on
        pair.account_id = delivery.account_id
        and pair.trading_date = delivery.trading_date
        and pair.instrument_id = delivery.instrument_id
left join seen_flat
    on
        pair.account_id = seen_flat.account_id
        and pair.trading_date = seen_flat.trading_date
        and pair.instrument_id = seen_flat.instrument_id
left join order_type
    on
        pair.account_id = order_type.account_id
        and pair.trading_date = order_type.trading_date
        and pair.instrument_id = order_type.instrument_id
left join option_contract on pair.instrument_id = option_contract.id
-- a purged zero-quantity row is not a second close
where
    pair.quantity is distinct from 0 or pair.quantity_prev is distinct from 0
    or trades.fills > 0 or adjustments.kind is not null
    or coalesce(pair.daily_realized_pnl, seen_flat.daily_realized_pnl, 0) <> 0 or delivery.instrument_id is not null
