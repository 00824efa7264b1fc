-- What an account held at the end of the day before each of its days that are built (`day`), cash apart.
select
    position_eod.account_id,
    account_day.trading_date as day,
    position_eod.instrument_id,
    position_eod.trading_date,
    position_eod.symbol,
    position_eod.underlying_instrument_id,
    position_eod.instrument_type,
    position_eod.option_expiry,
    position_eod.option_strike,
    position_eod.option_right,
    position_eod.multiplier,
    position_eod.multiplier_source,
    position_eod.quantity,
    position_eod.market_value,
    position_eod.cost_basis,
    position_eod.unrealized_pnl,
    position_eod.value_recalc,
    position_eod.eod_price,
    position_eod.price_grade
from core.position_eod
inner join account_day
    on position_eod.account_id = account_day.account_id and position_eod.trading_date = account_day.prev_trading_date
where
    position_eod.instrument_type <> 'CASH' and position_eod.quantity is distinct from 0
    and position_eod.trading_date >= (select min(prev_trading_date) from account_day)
