-- Splits that took effect on what an account held or traded, between two of its ends of day; each from its own day on.
select
    roll.account_id,
    roll.day as trading_date,
    roll.instrument_id,
    split_near.event_date,
    split_near.effective_date,
    split_near.numerator,
    split_near.denominator,
    split_near.ratio
from roll
inner join split_near
    on
        roll.account_id = split_near.account_id
        and roll.day = split_near.day
        and roll.instrument_id = split_near.instrument_id
        and case roll.splits
            when 'COVERING' then split_near.is_covering
            else roll.splits = cast(split_near.event_date as string)
        end
