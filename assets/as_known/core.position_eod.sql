-- What was held at the end of each day, from the versions of its P&L: their values are those of the position, and they have a knowledge time.
select
    account_id,
    instrument_id,
    trading_date,
    symbol,
    underlying_instrument_id,
    instrument_type,
    quantity,
    market_value,
    unrealized_pnl,
    eod_price,
    price_grade
from pnl.position_daily
where quantity <> 0
