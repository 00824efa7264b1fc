-- What is to be known of a day whose end nobody read: that it was recovered and from what, what of it could not be, and why a whole account was not.
select
    account_eod.trading_date, account_eod.account_id, null as instrument_id, account_eod.run_id,
    'recovered' as check_name,
    case account_eod.recovered_from when 'PRE_OPEN' then 'INFO' else 'WARN' end as severity,
    account_eod.recovered_from as value,
    null as expected,
    'the end of this day was not read: it was recovered from a snapshot of the next session, taken '
    || case account_eod.recovered_from when 'PRE_OPEN' then 'before the open' else 'while the market was open' end
    || ', less what was traded since the close' as message
from core.account_eod
where account_eod.trading_date between $from_date and $to_date and account_eod.grade = 'RECOVERED'
union all
select
    position.trading_date, position.account_id, position.instrument_id, account_eod.run_id,
    'not_rolled_back' as check_name, 'WARN' as severity,
    null as value,
    null as expected,
    coalesce(trim(position.symbol), position.instrument_id) || case
        when position.option_expiry = position.trading_date
            then ' expired on this day, whose end nobody read: what was there at the close can''t be told from the morning after it'
        else
            ': the fills since the end of day before do not lead to what the morning after this day shows, so what was there at '
            || 'its close is not known. If it was transferred, add the line ' || cast(position.trading_date as string) || ','
            || position.account_id || ',TRANSFER,' || position.instrument_id || ',,'
            || coalesce(written(recovered.missing), 'QUANTITY') || ',,VALUE,COST,, to adjustments.csv, with the day on which it came (a '
            || 'positive quantity) or went (a negative one), and the value and the cost that moved (signed as the quantity)'
    end as message
from core.position_eod as position
inner join core.account_eod
    on position.account_id = account_eod.account_id and position.trading_date = account_eod.trading_date
left join recovered_quantity as recovered
    on
        position.account_id = recovered.account_id and position.trading_date = recovered.trading_date
        and position.instrument_id = recovered.instrument_id
where
    position.trading_date between $from_date and $to_date and account_eod.grade = 'RECOVERED'
    and position.quantity is null
union all
select
    position.trading_date, position.account_id, position.instrument_id, account_eod.run_id,
    'recovered_without_close' as check_name, 'WARN' as severity,
    null as value,
    null as expected,
    coalesce(trim(position.symbol), position.instrument_id)
    || ': its quantity at the close is known, and neither its row of the morning nor another account has a closing price dated this day, '
    || 'so its value is not: `daybook eod` before the next close looks again' as message
from core.position_eod as position
inner join core.account_eod
    on position.account_id = account_eod.account_id and position.trading_date = account_eod.trading_date
where
    position.trading_date between $from_date and $to_date and account_eod.grade = 'RECOVERED'
    and position.quantity is not null and position.market_value is null
union all
select
    expected_day.trading_date, expected_day.account_id, null as instrument_id, max(run.run_id) as run_id,
    'not_recovered' as check_name, 'WARN' as severity,
    max_by(coalesce(positions.error, executions.error), run.run_id)
    filter (where coalesce(positions.error, executions.error) is not null) as value,
    null as expected,
    'the end of this day was not read, and the next session''s snapshot can''t stand in for it: ' || max_by(case
        when not positions.complete then 'its positions are not whole'
        when not executions.complete then 'the fills since the close were not read'
        else 'the fills do not reach back to the end of day before, or there is none'
    end, run.run_id) || '; what was made on it is in the next known day' as message
from core.expected_day
inner join core.calendar on expected_day.trading_date = calendar.trading_date
inner join core.run on calendar.next_trading_date = run.trading_date and is_stand_in(run.grade)
inner join raw.extract_manifest as positions
    on
        run.run_id = positions.run_id and expected_day.account_id = positions.account_id
        and positions.endpoint = 'positions'
left join raw.extract_manifest as executions
    on
        run.run_id = executions.run_id and expected_day.account_id = executions.account_id
        and executions.endpoint = 'executions'
where expected_day.trading_date between $from_date and $to_date and not expected_day.is_known
group by expected_day.trading_date, expected_day.account_id
