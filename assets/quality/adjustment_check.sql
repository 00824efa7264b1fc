-- Lines of adjustments.csv that do not fit what the account held: of an instrument that it never had, or with the opposite sign.
select
    trading_date, account_id, instrument_id, run_id,
    'adjustment_without_position' as check_name, 'WARN' as severity,
    adjustment_kind as value,
    null as expected,
    'adjustments.csv speaks of an instrument that the account has never held: correct instrument_id or account_id, or take the line back'
        as message
from position_change
where is_stranger
union all
select
    trading_date, account_id, instrument_id, run_id,
    'adjustment_wrong_sign' as check_name, 'WARN' as severity,
    cast(said_quantity as string) as value,
    cast(untraded_quantity as string) as expected,
    'the quantity in adjustments.csv fits with the other sign: + is what came in, - what went out' as message
from position_change
where said_quantity <> 0 and untraded_quantity = -said_quantity
union all
-- of an account that the books do not have, or not yet
select
    line.trading_date, line.account_id, line.instrument_id, null as run_id,
    'adjustment_without_position' as check_name, 'WARN' as severity,
    line.kind as value,
    null as expected,
    'adjustments.csv speaks of an account that the books do not have on that day: correct account_id, or take the line back' as message
from core.position_adjustment as line
anti join core.expected_day
    on line.account_id = expected_day.account_id and line.trading_date >= expected_day.trading_date
where line.trading_date between $from_date and $to_date
union all
-- an id change moves what was held the evening before
select
    account_eod.trading_date, line.account_id, line.instrument_id, account_eod.run_id,
    'adjustment_without_position' as check_name, 'WARN' as severity,
    line.kind as value,
    null as expected,
    'adjustments.csv changes the id of an instrument that the account did not hold the evening before: correct the line, or take it back'
        as message
from core.position_adjustment as line
inner join core.account_eod
    on
        line.account_id = account_eod.account_id
        and line.trading_date > account_eod.prev_trading_date and line.trading_date <= account_eod.trading_date
anti join core.position_eod
    on
        line.account_id = position_eod.account_id
        and line.instrument_id = position_eod.instrument_id
        and account_eod.prev_trading_date = position_eod.trading_date
where line.kind = 'ID_CHANGE' and account_eod.trading_date between $from_date and $to_date
