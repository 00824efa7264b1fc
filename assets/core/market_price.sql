-- What the first market snapshot after a day's close says of each instrument: the price of its last trade, where the row shows that it is of that
-- day (by the trade's time; where it has none, it is the close before and the change since, something was traded, and it is not the evening
-- before told again), and the delta.
with told as (
    select
        run.trading_date,
        snapshot.instrument_id,
        run.run_id,
        snapshot.last_trade,
        snapshot.session,
        coalesce(
            snapshot.cumulative_volume, try_cast(json_extract_string(snapshot.session, '$.cumulative_volume') as bigint)
        ) as cumulative_volume,
        try_cast(json_extract_string(snapshot.last_trade, '$.timestamp') as timestamptz) as traded_at,
        try_cast(json_extract_string(snapshot.last_trade, '$.price') as decimal(24, 8)) as price,
        try_cast(json_extract_string(snapshot.last_trade, '$.size') as bigint) as size,
        try_cast(json_extract_string(snapshot.session, '$.previous_close') as decimal(24, 8)) as previous_close,
        try_cast(json_extract_string(snapshot.session, '$.change') as decimal(24, 8)) as change,
        try_cast(json_extract_string(snapshot.greeks, '$.delta') as decimal(24, 8)) as delta,
        try_cast(json_extract_string(snapshot.greeks, '$.timestamp') as timestamptz) as delta_at
    from raw.market_snapshot as snapshot
    inner join core.run on snapshot.run_id = run.run_id
    where
        run.grade = 'POST_CLOSE' and run.trading_date <= $to_date
        and run.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from account_day) - 14
),

first_told as (
    select
        trading_date,
        instrument_id,
        last_trade,
        session,
        cumulative_volume,
        traded_at,
        price,
        size,
        previous_close,
        change,
        delta,
        delta_at
    from told
    qualify row_number() over (partition by trading_date, instrument_id order by run_id) = 1
)

select
    first_told.trading_date,
    first_told.instrument_id,
    case
        when first_told.traded_at is not null
            then
                case
                    when first_told.traded_at > calendar.owns_from and first_told.traded_at <= calendar.post_close
                        then nullif(greatest(first_told.price, 0), 0)
                end
        when
            first_told.price > 0 and (first_told.cumulative_volume > 0 or first_told.size = 0)
            and abs(first_told.previous_close + first_told.change - first_told.price) <= cent()
            and (
                before.instrument_id is null
                or (first_told.last_trade, first_told.session, first_told.cumulative_volume)
                is distinct from (before.last_trade, before.session, before.cumulative_volume)
            )
            then first_told.price
    end as price,
    case when first_told.delta_at > calendar.owns_from then first_told.delta end as delta
from first_told
inner join core.calendar on first_told.trading_date = calendar.trading_date
left join first_told as before
    on
        first_told.instrument_id = before.instrument_id
        and calendar.prev_trading_date = before.trading_date
