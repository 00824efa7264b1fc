-- Stock splits that the broker has told of, each in its latest form: so many new shares (numerator) for so many old ones (denominator).
select
    instrument_id,
    event_date,
    numerator,
    denominator
from raw.corporate_events
where event_type = 'STOCK_SPLIT' and numerator > 0 and denominator > 0
qualify row_number() over (partition by instrument_id, event_date, sequence order by run_id desc) = 1
