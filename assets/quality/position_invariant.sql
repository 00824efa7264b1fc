-- What has to hold of each position's day and does not.
select
    trading_date,
    account_id,
    instrument_id,
    run_id,
    'total_is_realized_plus_unrealized' as check_name,
    cast(total_pnl as string) as value,
    cast(realized_pnl + unrealized_change as string) as expected,
    'total P&L is not realized + change of unrealized' as message
from new_position_daily
where differs(total_pnl, realized_pnl + unrealized_change)
union all
select
    trading_date,
    account_id,
    instrument_id,
    run_id,
    'total_is_position_plus_day' as check_name,
    cast(total_pnl as string) as value,
    cast(position_pnl + day_pnl as string) as expected,
    'total P&L is not carried position + day''s trading' as message
from exact_position
-- cash in lieu is neither carried nor traded
where differs(total_pnl, position_pnl + day_pnl + adjusted_cash)
union all
select
    trading_date,
    account_id,
    instrument_id,
    run_id,
    'total_telescopes' as check_name,
    cast(total_pnl as string) as value,
    cast(value_and_cash as string) as expected,
    'total P&L is not the change of value plus the cash received less the value moved' as message
from exact_position
where differs(total_pnl, value_and_cash)
union all
select
    event.trading_date,
    event.account_id,
    event.instrument_id,
    null as run_id,
    'event_moves_what_is_held' as check_name,
    cast(event.contracts as string) as value,
    null as expected,
    'an event moves more contracts than were held' as message
from core.lifecycle_event as event
inner join position_change as change
    on
        event.account_id = change.account_id
        and event.trading_date = change.trading_date
        and event.instrument_id = change.instrument_id
where
    event.kind in ('EXERCISE', 'ASSIGNMENT', 'EXPIRY') and event.trading_date between $from_date and $to_date
    and event.contracts > abs(change.quantity - change.unexplained)
union all
select
    trading_date,
    account_id,
    instrument_id,
    run_id,
    'restated_mark_makes_no_pnl' as check_name,
    cast(here as string) as value,
    cast(-there as string) as expected,
    'a corrected mark changed the sum of two days' as message
from restated_mark
where differs(here, -there)
