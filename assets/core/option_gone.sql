-- Options that went without a trade: so many contracts fewer than were held before and traded since (`contracts`, signed like the position),
-- with the last session in which they could be traded and whether that was over by then.
with changed as (
    select
        change.account_id,
        change.trading_date,
        change.prev_trading_date,
        change.instrument_id,
        change.symbol,
        change.underlying_instrument_id,
        change.option_expiry,
        change.option_strike,
        change.option_right,
        change.multiplier,
        change.quantity,
        change.quantity_prev,
        change.traded_quantity,
        change.bought_quantity,
        change.sold_quantity,
        change.bought_per_share,
        change.sold_per_share,
        change.sod_price,
        change.sod_price_grade,
        change.market_value_prev,
        change.cost_basis_prev,
        change.cost_basis,
        change.captured_at,
        change.executions_loaded,
        change.settled_in_cash,
        change.adjusted_value,
        change.adjusted_cost_basis,
        change.quantity - change.unexplained as quantity_before,
        -change.unexplained as contracts
    from position_change as change
    where
        change.trading_date between $from_date and $to_date
        and change.instrument_type = 'OPTION' and change.prev_trading_date is not null
        and change.unexplained <> 0
        and sign(change.unexplained) = -sign(change.quantity - change.unexplained)
        and abs(change.unexplained) <= abs(change.quantity - change.unexplained)
),

-- where no id tells what an option is on, its symbol does, if the account has exactly one stock of that name
named as (
    select
        account_id,
        trading_date,
        symbol,
        min(instrument_id) as instrument_id
    from position_change
    where instrument_type is distinct from 'OPTION' and symbol is not null
    group by account_id, trading_date, symbol
    having count(*) = 1
),

last_sessions as (
    select
        expiries.option_expiry,
        max(calendar.trading_date) as last_session
    from (select distinct option_expiry from changed) as expiries
    inner join core.calendar
        on
            calendar.trading_date <= expiries.option_expiry
            and calendar.trading_date > expiries.option_expiry - 14
    group by expiries.option_expiry
)

select
    changed.account_id,
    changed.trading_date,
    changed.prev_trading_date,
    changed.instrument_id,
    changed.symbol,
    coalesce(changed.underlying_instrument_id, named.instrument_id) as underlying_instrument_id,
    changed.option_expiry,
    changed.option_strike,
    changed.option_right,
    changed.multiplier,
    changed.quantity,
    changed.quantity_prev,
    changed.quantity_before,
    changed.traded_quantity,
    changed.bought_quantity,
    changed.sold_quantity,
    changed.bought_per_share,
    changed.sold_per_share,
    changed.sod_price,
    changed.sod_price_grade,
    changed.market_value_prev,
    changed.cost_basis_prev,
    changed.cost_basis,
    changed.captured_at,
    changed.executions_loaded,
    changed.settled_in_cash,
    changed.adjusted_value,
    changed.adjusted_cost_basis,
    changed.contracts,
    last_sessions.last_session,
    coalesce(changed.option_expiry <= changed.trading_date, false) as expired,
    -- nobody can trade an option after its last session: what was still held at its close, or what the fills tell, has not been sold
    expired and (changed.executions_loaded or changed.prev_trading_date >= last_sessions.last_session) as surely_expired
from changed
left join last_sessions on changed.option_expiry = last_sessions.option_expiry
left join named
    on
        changed.account_id = named.account_id
        and changed.trading_date = named.trading_date
        and osi_root(changed.symbol) = named.symbol
