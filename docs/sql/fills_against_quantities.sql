-- Where is the change of a quantity not what the fills say, and what explains it?
-- One row per position and day whose quantity changed by something else than its fills: a split, an exercise, an assignment, an expiry, a transfer. The last
-- column is what is left without an explanation; anything but 0 there is worth a call to the broker. An account's first day and what
-- lies more than six weeks back are left out.
with events as (
    select account_id, instrument_id, trading_date, kind, quantity_moved
    from core.lifecycle_event
    union all
    select account_id, underlying_instrument_id, trading_date, kind, underlying_quantity_moved
    from core.lifecycle_event
    where underlying_quantity_moved <> 0
),

summed as (
    select
        account_id,
        instrument_id,
        trading_date,
        string_agg(distinct kind, ', ' order by kind) as events,
        coalesce(sum(quantity_moved), 0) as moved
    from events
    group by account_id, instrument_id, trading_date
),

rolled as (
    select
        daily.account_id,
        daily.symbol,
        daily.trading_date,
        daily.quantity_prev,
        coalesce(daily.bought_quantity, 0) - coalesce(daily.sold_quantity, 0) as filled,
        daily.quantity,
        summed.events,
        coalesce(summed.moved, 0) as moved
    from pnl.position_daily as daily
    left join summed
        on
            daily.account_id = summed.account_id
            and daily.instrument_id = summed.instrument_id
            and daily.trading_date = summed.trading_date
    where
        daily.status <> 'OPENING'
        and daily.trading_date in (
            select trading_date from quality.day
            where trading_date > (select max(trading_date) - interval 6 weeks from quality.day)
        )
)

select
    account_id,
    symbol,
    trading_date,
    quantity_prev,
    filled,
    moved,
    quantity,
    events,
    quantity - quantity_prev - filled - moved as unexplained
from rolled
where quantity - quantity_prev <> filled or moved <> 0
order by trading_date, account_id, symbol
