-- Fills of the day, in the order of their trading, with the position before it and what it realized: what is withdrawn does not count.
select
    fill.transaction_time,
    fill.account_id,
    fill.symbol,
    fill.side,
    fill.quantity,
    fill.price,
    fill.multiplier,
    fill.notional,
    daily.quantity_prev,
    before.cost_basis as cost_prev,
    daily.realized_pnl as realized_of_position,
    fill.order_id,
    fill.id,
    fill.instrument_id
from core.fill
left join pnl.position_daily as daily
    on
        fill.account_id = daily.account_id
        and fill.instrument_id = daily.instrument_id
        and fill.trading_date = daily.trading_date
left join pnl.position_daily as before
    on
        daily.account_id = before.account_id
        and daily.instrument_id = before.instrument_id
        and daily.prev_trading_date = before.trading_date
where fill.trading_date = $day and fill.withdrawn_at is null
order by fill.transaction_time, fill.account_id, fill.symbol, fill.id
