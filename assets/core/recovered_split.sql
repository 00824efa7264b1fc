-- Splits that tell of a recovered day: those dated up to it, since the last end of day that was read, and those of the morning after it
-- (`is_morning`), which the snapshot that stands in for it may show.
select
    recovered_day.account_id,
    recovered_day.trading_date,
    split_observed.instrument_id,
    split_observed.event_date,
    split_observed.ratio,
    split_observed.event_date > recovered_day.trading_date as is_morning
from recovered_day
inner join split_observed
    on
        recovered_day.anchor_date < split_observed.event_date
        and recovered_day.next_trading_date >= split_observed.event_date
