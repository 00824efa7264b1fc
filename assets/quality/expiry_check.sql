-- Options that expired and of which nothing tells what became of them, with the line of adjustments.csv that would say it.
select
    daily.trading_date, daily.account_id, daily.instrument_id, daily.run_id,
    'expiry_outcome_unknown' as check_name, 'WARN' as severity,
    cast(open_outcome.contracts as varchar) as value,
    cast(null as varchar) as expected,
    format(
        '{} contracts of {} expired on {}, and nothing tells whether they were worth something: wait for the broker''s '
        || 'history, or add the line {},{},CASH_SETTLEMENT,{},,,CASH,,,, to adjustments.csv, with the cash received for CASH '
        || '(paid: negative; nothing: 0)',
        written(open_outcome.contracts), trim(daily.symbol), strftime(change.option_expiry, '%-d %B %Y'),
        daily.trading_date, daily.account_id, daily.instrument_id
    ) as message
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
where list_contains(daily.flags, 'EXPIRY_OUTCOME_UNKNOWN') and open_outcome.contracts > 0
