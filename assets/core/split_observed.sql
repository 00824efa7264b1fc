-- Stock splits that the broker tells of: so many new shares (numerator) for so many old ones (denominator), with the session that they are dated.
-- One that is listed twice, on dates at most two sessions apart, is one.
with dated as (
    select
        event.instrument_id,
        event.event_date,
        event.sequence,
        event.numerator,
        event.denominator,
        min(calendar.session_number) as session_number
    from event_observed as event
    inner join core.calendar on event.event_date <= calendar.trading_date and event.event_date > calendar.trading_date - 10
    where event.event_type = 'STOCK_SPLIT' and event.numerator > 0 and event.denominator > 0
    group by all
)

select
    instrument_id,
    event_date,
    numerator,
    denominator,
    session_number,
    cast(numerator as double) / cast(denominator as double) as ratio
from dated
where not exists (
    select 1 from dated as former
    where
        former.instrument_id = dated.instrument_id
        and former.numerator * dated.denominator = former.denominator * dated.numerator
        and former.session_number >= dated.session_number - 2
        and (former.event_date, former.sequence) < (dated.event_date, dated.sequence)
)
