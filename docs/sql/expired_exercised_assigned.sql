-- Which options were exercised, assigned or expired, and what did that move?
-- contracts is what ended, underlying_moved the shares that came (positive) or went. confidence says how daybook knows: INSTRUCTED (there was an instruction),
-- INFERRED (the books leave no other explanation) and so on.
select
    event.trading_date,
    event.account_id,
    event.kind,
    event.symbol,
    event.contracts,
    event.strike,
    event.underlying_quantity_moved as underlying_moved,
    event.confidence,
    position_daily.realized_pnl
from core.lifecycle_event as event
left join pnl.position_daily
    on
        event.account_id = position_daily.account_id
        and event.instrument_id = position_daily.instrument_id
        and event.trading_date = position_daily.trading_date
where event.kind in ('EXERCISE', 'ASSIGNMENT', 'EXPIRY')
order by event.trading_date, event.account_id, event.symbol
