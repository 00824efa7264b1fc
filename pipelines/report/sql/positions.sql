-- Every position of the day: held, opened, closed or traded within it, and of which day the close is that it is valued at.
select
    daily.symbol,
    daily.account_id,
    daily.instrument_type,
    daily.status,
    daily.quantity_prev,
    daily.quantity,
    daily.eod_price,
    held.closing_price_date as price_date,
    daily.market_value,
    daily.cost_basis,
    daily.unrealized_pnl,
    daily.position_pnl as carried,
    daily.day_pnl as traded,
    daily.realized_pnl,
    daily.unrealized_change,
    daily.total_pnl,
    daily.days_covered,
    daily.quality,
    array_to_string(daily.flags, ' ') as flags,
    daily.underlying_instrument_id,
    daily.instrument_id
from pnl.position_daily as daily
left join core.position_eod as held
    on
        daily.account_id = held.account_id
        and daily.instrument_id = held.instrument_id
        and daily.trading_date = held.trading_date
where daily.trading_date = $day
order by daily.total_pnl desc nulls last, daily.account_id, daily.symbol, daily.instrument_id
