-- Rows of the snapshot that speaks for an account's day: quantity and cost as it has them, marks of the snapshot with the official closes, and
-- broker's daily figures of the last one that had not rolled. A snapshot of the night (LATE) gives a mark only through a closing price that is
-- dated the day (`is_late_mark`): what a stock trades at overnight belongs to the next session. Of a recovered day they are rows of another time, as
-- they were then: `core.recovered_position` says what they come to.
with other_marks as (
    select
        days.trading_date,
        days.marks_are_late,
        positions.account_id,
        positions.instrument_id,
        positions.quantity,
        positions.cost_basis,
        positions.market_value,
        positions.unrealized_pnl,
        positions.unrealized_pnl_pct,
        positions.closing_price,
        positions.closing_price_date,
        positions.instrument_price
    from raw.positions
    inner join row_source as days
        on positions.run_id = days.marks_run_id and positions.account_id = days.account_id
    where
        days.marks_run_id <> days.run_id
        and (
            not days.marks_are_late
            or (positions.closing_price is not null and positions.closing_price_date = days.trading_date)
        )
),

-- a snapshot taken after the broker had rolled keeps its quantities, but not its daily figures
unrolled as (
    select
        days.trading_date,
        positions.account_id,
        positions.instrument_id,
        positions.daily_realized_pnl,
        positions.daily_unrealized_pnl
    from raw.positions
    inner join row_source as days
        on positions.run_id = days.daily_fields_run_id and positions.account_id = days.account_id
    where days.daily_fields_run_id <> days.run_id
),

-- what the snapshot that stands in for a day has itself
seen_later as (
    select days.trading_date, positions.account_id, positions.instrument_id
    from raw.positions
    inner join row_source as days on positions.run_id = days.run_id and positions.account_id = days.account_id
    where days.is_recovered and not days.is_before
)

select
    held.account_id,
    held.instrument_id,
    days.trading_date,
    held.symbol,
    held.underlying_instrument_id,
    held.instrument_type,
    case when held.position_type like 'SHORT%' then 'SHORT' else 'LONG' end as side,
    held.quantity,
    held.available_quantity,
    held.avg_price,
    held.cost_basis as reported_cost_basis,
    case when marks.instrument_id is null then days.is_late else marks.marks_are_late end as is_late_mark,
    coalesce(marks.market_value, held.market_value) as reported_value,
    -- value less cost, where the mark is of a row with another cost
    case
        when marks.instrument_id is null then held.unrealized_pnl
        when (held.cost_basis is not distinct from marks.cost_basis) then marks.unrealized_pnl
    end as reported_unrealized_pnl,
    case
        when marks.instrument_id is null then held.unrealized_pnl_pct
        when (held.cost_basis is not distinct from marks.cost_basis) then marks.unrealized_pnl_pct
    end as unrealized_pnl_pct,
    coalesce(marks.closing_price, held.closing_price) as closing_price,
    coalesce(marks.closing_price_date, held.closing_price_date) as closing_price_date,
    coalesce(marks.instrument_price, held.instrument_price) as instrument_price,
    case when days.daily_fields_run_id = days.run_id then held.daily_realized_pnl else unrolled.daily_realized_pnl end
        as daily_realized_pnl,
    case
        when days.daily_fields_run_id = days.run_id then held.daily_unrealized_pnl
        else unrolled.daily_unrealized_pnl
    end as daily_unrealized_pnl,
    days.is_recovered,
    days.is_before
from raw.positions as held
inner join row_source as days
    on held.run_id = days.run_id and held.account_id = days.account_id
-- marks of another snapshot apply only where it shows the same quantity: overnight trades and splits belong to the next day
left join other_marks as marks
    on
        held.account_id = marks.account_id
        and held.instrument_id = marks.instrument_id
        and days.trading_date = marks.trading_date
        and held.quantity = marks.quantity
left join unrolled
    on
        held.account_id = unrolled.account_id
        and held.instrument_id = unrolled.instrument_id
        and days.trading_date = unrolled.trading_date
left join seen_later
    on
        days.is_before
        and held.account_id = seen_later.account_id
        and held.instrument_id = seen_later.instrument_id
        and days.trading_date = seen_later.trading_date
where
    (not days.is_recovered or held.instrument_type <> 'CASH')
    and (not days.is_before or (held.quantity <> 0 and seen_later.instrument_id is null))
