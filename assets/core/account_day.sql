-- An account's days that are built, each with the time at which the day that it is compared with became known.
select
    today.account_id,
    today.trading_date,
    today.run_id,
    today.captured_at,
    today.prev_trading_date,
    today.days_covered,
    today.executions_loaded,
    today.instructions_loaded,
    today.known_at,
    before.captured_at as prev_captured_at,
    before.known_at as prev_known_at
from core.account_eod as today
left join core.account_eod as before
    on today.account_id = before.account_id and today.prev_trading_date = before.trading_date
where today.trading_date between $from_date and $to_date
