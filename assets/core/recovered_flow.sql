-- What was traded around a recovered day, by instrument, in the shares of its end: from the last end of day that was read (by the time of its
-- snapshot, or by trading date), and in the morning after it, up to the snapshot that stands in. Null where a fill has a side that nobody knows.
with before as (
    select
        recovered_day.account_id,
        recovered_day.trading_date as day,
        flow.instrument_id,
        flow.trading_date > recovered_day.anchor_date as is_by_date,
        coalesce(flow.outside_at > recovered_day.anchor_at, is_by_date) as is_by_time,
        cast(flow.net_quantity as double) * coalesce(product_of(array_agg(split.ratio)), 1) as quantity
    from recovered_day
    inner join core.trade_flow as flow
        on
            recovered_day.account_id = flow.account_id
            and recovered_day.anchor_date <= flow.trading_date
            and recovered_day.trading_date >= flow.trading_date
    left join recovered_split as split
        on
            not split.is_morning
            and recovered_day.account_id = split.account_id
            and recovered_day.trading_date = split.trading_date
            and flow.instrument_id = split.instrument_id
            and flow.trading_date < split.event_date
    group by
        recovered_day.account_id, recovered_day.trading_date, recovered_day.anchor_date, recovered_day.anchor_at,
        flow.instrument_id, flow.trading_date, flow.outside_at, flow.net_quantity
),

stacked as (
    select
        account_id,
        day,
        instrument_id,
        case when is_by_time then quantity else 0 end as by_time,
        case when is_by_date then quantity else 0 end as by_date,
        0 as later,
        0 as later_fills
    from before
    union all
    select
        recovered_day.account_id,
        recovered_day.trading_date as day,
        fill.instrument_id,
        0 as by_time,
        0 as by_date,
        cast(fill.signed_quantity as double) as later,
        cast(fill.counts as integer) as later_fills
    from recovered_day
    inner join fill_observed as fill
        on
            recovered_day.account_id = fill.account_id
            and fill.instrument_id is not null
            and recovered_day.captured_at < fill.transaction_time
            and recovered_day.recovered_at >= fill.transaction_time
)

select
    account_id,
    day as trading_date,
    instrument_id,
    sum(by_time) as by_time,
    sum(by_date) as by_date,
    case when count(later) = count(*) then sum(later) end as later,
    sum(later_fills) as later_fills
from stacked
group by account_id, day, instrument_id
