-- Which options were exercised, assigned or expired, and what did that move?
-- contracts is what ended, underlying_moved the shares that came (positive) or went. confidence says how daybook knows: INSTRUCTED (there was an instruction),
-- INFERRED (the books leave no other explanation) and so on.
with event as (
    select * from core.lifecycle_event
    where kind in ('EXERCISE', 'ASSIGNMENT', 'EXPIRY')
),

-- of the days with such an event alone: a year of positions is much to look through for a few
made as (
    select account_id, instrument_id, trading_date, realized_pnl
    from pnl.position_daily
    where trading_date in (select distinct trading_date from event)
)

select
    event.trading_date,
    event.account_id,
    event.kind,
    event.symbol,
    event.contracts,
    event.strike,
    event.underlying_quantity_moved as underlying_moved,
    event.confidence,
    made.realized_pnl
from event
left join made
    on
        event.account_id = made.account_id
        and event.instrument_id = made.instrument_id
        and event.trading_date = made.trading_date
order by event.trading_date, event.account_id, event.symbol
