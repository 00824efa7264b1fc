-- Splits that may explain how a position got from one end of day to the next: those dated between the two (`is_covering`), and those that are at
-- most two sessions off, for brokers date them by the record, the payable or the ex-date. They take effect (`effective_date`) within the days
-- covered. One that the book had shown before the row begins is not looked for again.
with sessions as (
    select
        account_day.account_id,
        account_day.trading_date,
        account_day.prev_trading_date,
        before.session_number as prev_session,
        today.session_number,
        first_day.trading_date as first_date
    from account_day
    inner join core.calendar as before on account_day.prev_trading_date = before.trading_date
    inner join core.calendar as today on account_day.trading_date = today.trading_date
    inner join core.calendar as first_day on before.session_number + 1 = first_day.session_number
),

near as (
    select
        sessions.account_id,
        sessions.trading_date as day,
        sessions.prev_trading_date,
        split_observed.instrument_id,
        split_observed.event_date,
        split_observed.numerator,
        split_observed.denominator,
        split_observed.ratio,
        split_observed.session_number > sessions.prev_session
        and split_observed.session_number <= sessions.session_number as is_covering,
        case
            when is_covering then split_observed.event_date
            when split_observed.session_number > sessions.session_number then sessions.trading_date
            else sessions.first_date
        end as effective_date
    from sessions
    inner join split_observed
        on
            split_observed.session_number > sessions.prev_session - 2
            and split_observed.session_number <= sessions.session_number + 2
),

-- of a split dated before the row: what was held before its date, and at the end of the row before
shown as (
    select
        near.account_id,
        near.day,
        near.instrument_id,
        near.event_date,
        max_by(position_eod.quantity, position_eod.trading_date) filter (where position_eod.trading_date < near.event_date)
            as quantity_then,
        max_by(position_eod.quantity, position_eod.trading_date) as quantity_prev
    from near
    inner join core.position_eod
        on
            near.account_id = position_eod.account_id
            and near.instrument_id = position_eod.instrument_id
            and position_eod.trading_date <= near.prev_trading_date
            and position_eod.trading_date > near.event_date - 14
    where near.event_date <= near.prev_trading_date
    group by near.account_id, near.day, near.instrument_id, near.event_date
)

select
    near.account_id,
    near.day,
    near.instrument_id,
    near.event_date,
    near.effective_date,
    near.is_covering,
    near.numerator,
    near.denominator,
    near.ratio
from near
left join shown
    on
        near.account_id = shown.account_id
        and near.day = shown.day
        and near.instrument_id = shown.instrument_id
        and near.event_date = shown.event_date
-- nearer to the split's ratio than to none
where coalesce(
    abs(ln(abs(cast(nullif(shown.quantity_prev, 0) as double) / cast(nullif(shown.quantity_then, 0) as double))) - ln(near.ratio))
    > abs(ln(abs(cast(nullif(shown.quantity_prev, 0) as double) / cast(nullif(shown.quantity_then, 0) as double)))),
    true
)
