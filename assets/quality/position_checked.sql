-- Positions held at the ends of the days that are built, cash apart, with what their rows are checked by.
select
    position_eod.trading_date,
    position_eod.account_id,
    position_eod.instrument_id,
    account_eod.run_id,
    account_eod.grade,
    position_eod.symbol,
    position_eod.instrument_type,
    position_eod.quantity,
    position_eod.available_quantity,
    position_eod.avg_price,
    position_eod.multiplier,
    position_eod.multiplier_source,
    position_eod.market_value,
    position_eod.cost_basis,
    position_eod.unrealized_pnl,
    position_eod.unrealized_pnl_pct,
    position_eod.daily_realized_pnl,
    position_eod.daily_unrealized_pnl,
    position_eod.value_recalc,
    position_eod.value_basis,
    position_eod.closing_price_date,
    position_eod.option_expiry,
    position_eod.option_right
from core.position_eod
inner join core.account_eod
    on
        position_eod.account_id = account_eod.account_id
        and position_eod.trading_date = account_eod.trading_date
where
    position_eod.trading_date between $from_date and $to_date
    and position_eod.instrument_type <> 'CASH' and position_eod.quantity <> 0
