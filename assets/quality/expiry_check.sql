-- Options that expired and of which nothing tells what became of them, with the line of adjustments.csv that would say it.
select
    daily.trading_date, daily.account_id, daily.instrument_id, daily.run_id,
    'expiry_outcome_unknown' as check_name, 'WARN' as severity,
    cast(open_outcome.contracts as string) as value,
    cast(null as string) as expected,
    written(open_outcome.contracts) || ' contracts of ' || trim(daily.symbol) || ' expired on ' || written_day(change.option_expiry)
    || ', and nothing tells whether they were worth something: wait for the broker''s history, or add the line '
    || cast(daily.trading_date as string) || ',' || daily.account_id || ',CASH_SETTLEMENT,' || daily.instrument_id
    || ',,,CASH,,,, to adjustments.csv, with the cash received for CASH (paid: negative; nothing: 0)' as message
from new_position_daily as daily
inner join open_outcome
    on
        daily.account_id = open_outcome.account_id
        and daily.trading_date = open_outcome.trading_date
        and daily.instrument_id = open_outcome.instrument_id
inner join position_change as change
    on
        daily.account_id = change.account_id
        and daily.trading_date = change.trading_date
        and daily.instrument_id = change.instrument_id
where array_contains(daily.flags, 'EXPIRY_OUTCOME_UNKNOWN') and open_outcome.contracts > 0
