-- How a position rolled from one end of day to the next, where there is a choice: the way that the quantities agree with (`fits`), and without any
-- the splits dated within the row and the fills by the time of the snapshots.
with undecided as (
    select distinct account_id, day, instrument_id from roll_way
),

-- hardly any position has a choice, and no other is looked at
held as (
    select
        account_id,
        trading_date,
        instrument_id,
        quantity,
        eod_price
    from core.position_eod
    semi join undecided
        on
            position_eod.account_id = undecided.account_id
            and position_eod.trading_date = undecided.day
            and position_eod.instrument_id = undecided.instrument_id
    where trading_date between $from_date and $to_date
),

held_before as (
    select
        account_id,
        day,
        instrument_id,
        quantity,
        eod_price
    from position_before
    semi join undecided
        on
            position_before.account_id = undecided.account_id
            and position_before.day = undecided.day
            and position_before.instrument_id = undecided.instrument_id
),

weighed as (
    select
        way.account_id,
        way.day,
        way.instrument_id,
        way.splits,
        way.ratio,
        way.choice,
        way.start_by_time,
        way.end_by_time,
        coalesce(held.quantity, 0) - coalesce(held_before.quantity, 0) * way.ratio - way.traded
        - coalesce(adjustments.quantity, 0) as missing,
        -- cash in lieu is paid for the part of a share that is missing
        not differs(missing, 0)
        or (
            coalesce(adjustments.pays_a_fraction, false) and abs(missing) < 1
            and sign(missing) = -sign(held_before.quantity)
        ) as rolls,
        -- how far the price is from where these splits alone would have taken it
        abs(ln(cast(nullif(held.eod_price, 0) as double) / cast(nullif(held_before.eod_price, 0) as double)) + ln(way.ratio))
            as price_apart,
        account_day.executions_loaded
    from roll_way as way
    inner join account_day on way.account_id = account_day.account_id and way.day = account_day.trading_date
    left join held
        on
            way.account_id = held.account_id
            and way.day = held.trading_date
            and way.instrument_id = held.instrument_id
    left join held_before
        on
            way.account_id = held_before.account_id
            and way.day = held_before.day
            and way.instrument_id = held_before.instrument_id
    left join adjustment_effect as adjustments
        on
            way.account_id = adjustments.account_id
            and way.day = adjustments.trading_date
            and way.instrument_id = adjustments.instrument_id
),

compared as (
    select
        account_id,
        day,
        instrument_id,
        splits,
        ratio,
        choice,
        start_by_time,
        end_by_time,
        rolls,
        executions_loaded,
        price_apart,
        min(price_apart) over same as price_nearest,
        bool_or(splits = 'NONE') over same as is_near_split
    from weighed
    window same as (partition by account_id, day, instrument_id)
)

select
    account_id,
    day,
    instrument_id,
    splits,
    ratio,
    start_by_time,
    end_by_time,
    is_near_split,
    not differs(price_apart, price_nearest) as price_agrees,
    -- quantities whose fills nobody has read may agree by chance: then the price has to say so, too
    rolls and (splits = 'COVERING' or executions_loaded or coalesce(price_agrees, false)) as fits
from compared
qualify row_number() over (
    partition by account_id, day, instrument_id
    order by fits desc, splits <> 'COVERING', splits = 'NONE', splits, choice
) = 1
