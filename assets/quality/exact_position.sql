-- Positions whose P&L comes from executions, with the change of value plus the cash received less the value moved, which their total has to be.
select
    daily.trading_date,
    daily.account_id,
    daily.instrument_id,
    daily.run_id,
    daily.total_pnl,
    daily.position_pnl,
    daily.day_pnl,
    change.adjusted_cash,
    -- over any number of days the values between cancel: the sum of totals is the change of value plus the cash received
    daily.market_value - change.market_value_prev
    + coalesce(daily.sold_notional, 0) - coalesce(daily.bought_notional, 0)
    + coalesce(events.cash, 0) + change.adjusted_cash
    - coalesce(events.value_moved, 0) - change.adjusted_value as value_and_cash
from new_position_daily as daily
inner join position_change as change
    on
        daily.account_id = change.account_id
        and daily.trading_date = change.trading_date
        and daily.instrument_id = change.instrument_id
left join event_effect as events
    on
        daily.account_id = events.account_id
        and daily.trading_date = events.trading_date
        and daily.instrument_id = events.instrument_id
where daily.total_source = 'EXECUTIONS'
