-- Days of corporate events that a new run told first, of what was held on them.
select distinct event.event_date
from (
    select instrument_id, event_type, event_date, numerator, denominator, dividend_amount
    from raw.corporate_events where run_id in (select run_id from new_run)
    except
    select instrument_id, event_type, event_date, numerator, denominator, dividend_amount
    from raw.corporate_events where run_id not in (select run_id from new_run)
) as event
inner join core.position_eod
    on event.instrument_id = position_eod.instrument_id and event.event_date = position_eod.trading_date
