-- A position at two ends of day, side by side, and what else something happened to on the day. Today's rows, yesterday's and what happened are
-- joined in full: a join from today's rows alone would lose every close.
with today as (
    select
        account_id,
        trading_date,
        instrument_id,
        symbol,
        underlying_instrument_id,
        instrument_type,
        option_expiry,
        option_strike,
        option_right,
        multiplier,
        multiplier_source,
        quantity,
        market_value,
        cost_basis,
        unrealized_pnl,
        value_recalc,
        eod_price,
        price_grade,
        daily_realized_pnl,
        daily_unrealized_pnl
    from core.position_eod
    where trading_date between $from_date and $to_date and instrument_type <> 'CASH'
),

-- what happened to instruments, held on one of the two evenings or not
happened as (
    select account_id, trading_date, instrument_id from trade_between
    union
    select account_id, trading_date, instrument_id from adjustment_effect
    union
    select account_id, trading_date, instrument_id from possible_delivery
)

select
    coalesce(today.account_id, before.account_id, happened.account_id) as account_id,
    coalesce(today.trading_date, before.day, happened.trading_date) as trading_date,
    coalesce(today.instrument_id, before.instrument_id, happened.instrument_id) as instrument_id,
    coalesce(today.symbol, before.symbol) as symbol,
    before.symbol as symbol_prev,
    coalesce(today.underlying_instrument_id, before.underlying_instrument_id) as underlying_instrument_id,
    coalesce(today.instrument_type, before.instrument_type) as instrument_type,
    coalesce(today.option_expiry, before.option_expiry) as option_expiry,
    coalesce(today.option_strike, before.option_strike) as option_strike,
    coalesce(today.option_right, before.option_right) as option_right,
    -- a row that went flat implies no multiplier of its own; where one is held and its unit unknown, it stays so
    case when today.quantity <> 0 then today.multiplier else coalesce(before.multiplier, today.multiplier) end as multiplier,
    case when today.quantity <> 0 then today.multiplier_source else coalesce(before.multiplier_source, today.multiplier_source) end
    = 'ASSUMED' as unit_is_assumed,
    -- what no longer is there is nothing; the quantity of a recovered day may be unknown
    case when today.instrument_id is null then 0 else today.quantity end as quantity,
    case when today.instrument_id is null then 0 else today.market_value end as market_value,
    case when today.instrument_id is null then 0 else today.cost_basis end as cost_basis,
    case when today.instrument_id is null then 0 else today.unrealized_pnl end as unrealized_pnl,
    case when today.quantity <> 0 then today.value_recalc end as value_recalc,
    today.eod_price,
    today.price_grade,
    today.daily_realized_pnl,
    today.daily_unrealized_pnl,
    case when before.instrument_id is null then 0 else before.quantity end as quantity_prev,
    case when before.instrument_id is null then 0 else before.market_value end as market_value_prev,
    case when before.instrument_id is null then 0 else before.cost_basis end as cost_basis_prev,
    case when before.instrument_id is null then 0 else before.unrealized_pnl end as unrealized_pnl_prev,
    before.value_recalc as value_recalc_prev,
    before.eod_price as sod_price,
    before.price_grade as sod_price_grade
from today
full join position_before as before
    on
        today.account_id = before.account_id
        and today.trading_date = before.day
        and today.instrument_id = before.instrument_id
full join happened
    on
        happened.account_id = coalesce(today.account_id, before.account_id)
        and happened.trading_date = coalesce(today.trading_date, before.day)
        and happened.instrument_id = coalesce(today.instrument_id, before.instrument_id)
