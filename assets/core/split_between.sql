-- Splits of what an account held, between two of its ends of day: several on one instrument multiply.
select
    position_before.account_id,
    position_before.day as trading_date,
    position_before.instrument_id,
    try_cast(round(exp(sum(ln(cast(split_observed.numerator as double)))), 6) as decimal(12, 6)) as numerator,
    try_cast(round(exp(sum(ln(cast(split_observed.denominator as double)))), 6) as decimal(12, 6)) as denominator
from position_before
inner join split_observed
    on
        position_before.instrument_id = split_observed.instrument_id
        and split_observed.event_date > position_before.trading_date
        and split_observed.event_date <= position_before.day
group by position_before.account_id, position_before.day, position_before.instrument_id
