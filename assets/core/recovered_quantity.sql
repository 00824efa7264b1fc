-- Quantities at the end of a recovered day. What was held before plus fills, splits and transfers up to the end of the day is what has to have been
-- there; it counts (`quantity`) where the fills of the morning, and its split and transfers if the snapshot shows them, lead from it to what the
-- snapshot has. Otherwise nobody knows it (null), and `missing` is what a transfer would have to have moved. An option that expired before the day
-- is not held at its end.
with before as (
    select
        recovered_day.account_id,
        recovered_day.trading_date,
        positions.instrument_id,
        positions.quantity,
        case
            when positions.closing_price_date = recovered_day.anchor_date then positions.closing_price
            else positions.instrument_price
        end as price
    from raw.positions
    inner join recovered_day
        on positions.run_id = recovered_day.anchor_run_id and positions.account_id = recovered_day.account_id
),

splits as (
    select
        account_id,
        trading_date,
        instrument_id,
        coalesce(product_of(array_agg(case when not is_morning then ratio end)), 1) as until,
        coalesce(product_of(array_agg(case when is_morning then ratio end)), 1) as later
    from recovered_split
    group by account_id, trading_date, instrument_id
),

counted as (
    select
        held.account_id,
        held.trading_date,
        held.instrument_id,
        unit.option_expiry < held.trading_date and held.is_before as is_expired,
        cast(case when held.is_before then 0 else held.quantity end as double) as seen,
        cast(before.price as double) / coalesce(splits.until, 1) as price_before,
        coalesce(splits.later, 1) as split_later,
        cast(coalesce(before.quantity, 0) as double) * coalesce(splits.until, 1) + coalesce(transfers.before, 0) as start,
        coalesce(flows.by_time, 0) as by_time,
        coalesce(flows.by_date, 0) as by_date,
        case when flows.instrument_id is null then 0 else flows.later end as traded_later,
        coalesce(flows.later_fills, 0) as fills_later,
        coalesce(transfers.later, 0) as moved_later
    from position_held as held
    inner join position_unit as unit
        on
            held.account_id = unit.account_id
            and held.trading_date = unit.trading_date
            and held.instrument_id = unit.instrument_id
    left join before
        on
            held.account_id = before.account_id
            and held.trading_date = before.trading_date
            and held.instrument_id = before.instrument_id
    left join splits
        on
            held.account_id = splits.account_id
            and held.trading_date = splits.trading_date
            and held.instrument_id = splits.instrument_id
    left join recovered_flow as flows
        on
            held.account_id = flows.account_id
            and held.trading_date = flows.trading_date
            and held.instrument_id = flows.instrument_id
    left join recovered_transfer as transfers
        on
            held.account_id = transfers.account_id
            and held.trading_date = transfers.trading_date
            and held.instrument_id = transfers.instrument_id
    where held.is_recovered
),

-- what the snapshot of the morning may show already, or not yet
ways as (
    select 1 as choice, true as split_shown, true as transfer_shown
    union all
    select 2 as choice, true as split_shown, false as transfer_shown
    union all
    select 3 as choice, false as split_shown, true as transfer_shown
    union all
    select 4 as choice, false as split_shown, false as transfer_shown
),

weighed as (
    select
        counted.account_id,
        counted.trading_date,
        counted.instrument_id,
        counted.is_expired,
        counted.price_before,
        counted.split_later <> 1 as is_near_split,
        case when ways.split_shown then counted.split_later else 1 end as ratio,
        counted.fills_later > 0 or (ways.transfer_shown and counted.moved_later <> 0) as is_touched,
        ways.choice,
        counted.seen - counted.traded_later - case when ways.transfer_shown then counted.moved_later else 0 end as rolled,
        case
            when not differs_in_floating_point(ratio * (counted.start + counted.by_time), rolled) then counted.start + counted.by_time
            when not differs_in_floating_point(ratio * (counted.start + counted.by_date), rolled) then counted.start + counted.by_date
        end as proven,
        -- what a transfer would have to have moved, where only one number fits
        case
            when not differs_in_floating_point(counted.by_time, counted.by_date) and counted.split_later = 1
                then rolled - counted.start - counted.by_time
        end as missing
    from counted
    cross join ways
)

select
    account_id,
    trading_date,
    instrument_id,
    case when is_expired then 0 else as_quantity(proven) end as quantity,
    ratio,
    is_near_split,
    is_touched,
    price_before,
    case when proven is null and not is_expired then as_quantity(missing) end as missing
from weighed
qualify row_number() over (partition by account_id, trading_date, instrument_id order by proven is null, choice) = 1
