-- Fills that count between two ends of day of an account, by instrument and trading date: by the time of the two snapshots, or by trading date where
-- the quantities roll only so.
select
    flow.account_id,
    flow.day,
    flow.instrument_id,
    flow.trading_date,
    flow.symbol,
    flow.underlying_instrument_id,
    flow.fills,
    flow.unpriced_fills,
    flow.net_quantity,
    flow.bought_quantity,
    flow.sold_quantity,
    flow.bought_per_share,
    flow.sold_per_share,
    flow.known_at,
    not flow.after_start_by_date as is_after_snapshot
from flow_between as flow
left join roll
    on flow.account_id = roll.account_id and flow.day = roll.day and flow.instrument_id = roll.instrument_id
where
    case when coalesce(roll.start_by_time, true) then flow.after_start_by_time else flow.after_start_by_date end
    and case when coalesce(roll.end_by_time, true) then flow.until_end_by_time else flow.until_end_by_date end
