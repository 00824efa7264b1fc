-- Options that went without a trade: so many contracts fewer than yesterday's and the fills account for (`contracts`, signed like the
-- position), with whether they had expired by then.
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
    change.market_value_prev,
    change.cost_basis_prev,
    change.cost_basis,
    change.captured_at,
    change.executions_loaded,
    -change.unexplained as contracts,
    coalesce(change.option_expiry <= change.trading_date, false) as expired,
    -- nobody can trade an option after its last session, so one that was still held at its close has not been sold
    coalesce(change.option_expiry <= change.trading_date, false)
    and not exists (
        select 1 from core.calendar
        where
            calendar.trading_date > change.prev_trading_date
            and calendar.trading_date <= change.option_expiry
    ) as untradable_since
from position_change as change
where
    change.trading_date between $from_date and $to_date
    and change.instrument_type = 'OPTION' and change.prev_trading_date is not null
    and change.unexplained <> 0
    and sign(change.unexplained) = -sign(change.quantity_prev)
    and abs(change.unexplained) <= abs(change.quantity_prev)
