-- Positions at the end of a recovered day: the quantity that is proven, at the official close of the day (its own row's, or that of the same
-- instrument in another account), in the shares of the day: a close that the broker has restated for a split of the morning is undone (RESTATED, and
-- rounded). The cost is that of the snapshot where nothing was traded since.
with closes as (
    select
        positions.instrument_id,
        positions.closing_price_date as trading_date,
        min(positions.closing_price) as lowest,
        max(positions.closing_price) as highest
    from raw.positions
    inner join (
        select distinct run.run_id, recovered_day.trading_date
        from recovered_day
        inner join core.run
            on
                (recovered_day.trading_date = run.trading_date and is_end_of_day(run.grade))
                or (recovered_day.next_trading_date = run.trading_date and is_stand_in(run.grade))
    ) as runs
        on positions.run_id = runs.run_id and positions.closing_price_date = runs.trading_date
    group by positions.instrument_id, positions.closing_price_date
),

priced as (
    select
        held.account_id,
        held.trading_date,
        held.instrument_id,
        rolled.quantity,
        rolled.ratio,
        rolled.is_touched or held.is_before as cost_is_other,
        held.reported_cost_basis,
        held.avg_price,
        held.reported_value,
        held.reported_unrealized_pnl,
        held.quantity as quantity_seen,
        unit.multiplier as unit_seen,
        -- a row of the morning of a split may mix old shares and new ones
        case when not (rolled.is_near_split and unit.multiplier_source = 'IMPLIED') then unit.multiplier end as multiplier,
        case
            when held.closing_price_date = held.trading_date then held.closing_price
            when not rolled.is_near_split and closes.lowest = closes.highest then closes.lowest
        end as told_close,
        coalesce(
            cast(held.instrument_price as double),
            cast(held.reported_value as double) / nullif(cast(held.quantity as double) * cast(unit.multiplier as double), 0)
        ) * rolled.ratio as price_now,
        rolled.price_before,
        rolled.is_near_split
    from position_held as held
    inner join recovered_quantity as rolled
        on
            held.account_id = rolled.account_id
            and held.trading_date = rolled.trading_date
            and held.instrument_id = rolled.instrument_id
    inner join position_unit as unit
        on
            held.account_id = unit.account_id
            and held.trading_date = unit.trading_date
            and held.instrument_id = unit.instrument_id
    left join closes on held.instrument_id = closes.instrument_id and held.trading_date = closes.trading_date
),

-- whether the close is in the shares of the day, or of the morning
compared as (
    select
        account_id,
        trading_date,
        instrument_id,
        quantity,
        ratio,
        cost_is_other,
        reported_cost_basis,
        avg_price,
        reported_value,
        reported_unrealized_pnl,
        quantity_seen,
        unit_seen,
        multiplier,
        told_close,
        is_near_split,
        coalesce(is_same_unit(cast(told_close as double), price_now), true)
        and coalesce(is_same_unit(cast(told_close as double), price_before), true) as fits_as_told,
        coalesce(is_same_unit(cast(told_close as double) * ratio, price_now), true)
        and coalesce(is_same_unit(cast(told_close as double) * ratio, price_before), true) as fits_restated
    from priced
),

closed as (
    select
        account_id,
        trading_date,
        instrument_id,
        quantity,
        ratio,
        cost_is_other,
        reported_cost_basis,
        avg_price,
        reported_value,
        reported_unrealized_pnl,
        quantity_seen,
        unit_seen,
        multiplier,
        not is_near_split or (fits_as_told and (ratio = 1 or not fits_restated)) as is_as_told,
        case
            when is_as_told then told_close
            when fits_restated and not fits_as_told
                then as_quantity(cast(told_close as double) * ratio)
        end as close
    from compared
)

select
    account_id,
    trading_date,
    instrument_id,
    quantity,
    multiplier,
    close,
    case when close is not null then case when is_as_told then 'OFFICIAL' else 'RESTATED' end end as recovered_grade,
    value_of(quantity, close, multiplier) as recovered_value,
    case
        when not cost_is_other and quantity is not null
            then cast(coalesce(
                reported_cost_basis,
                value_of(quantity_seen, avg_price, unit_seen),
                try_cast(reported_value - reported_unrealized_pnl as decimal(28, 10))
            ) as decimal(28, 10))
    end as recovered_cost,
    case when not cost_is_other and ratio = 1 then avg_price end as avg_price
from closed
