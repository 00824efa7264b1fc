-- Fills that may count between two ends of day of an account, by instrument: those after its one snapshot and up to the other (`by_time`), and
-- those of the trading dates after the one day and up to the other (`by_date`), which differ outside the regular sessions. The days that nobody
-- fetched count on the next known one.
with windows as (
    select
        account_day.account_id,
        account_day.trading_date,
        account_day.prev_trading_date,
        account_day.captured_at,
        account_day.prev_captured_at,
        coalesce(account_day.prev_trading_date, account_day.trading_date) as first_date,
        calendar.next_trading_date as last_date
    from account_day
    inner join core.calendar on account_day.trading_date = calendar.trading_date
),

flows as (
    select
        account_id,
        instrument_id,
        trading_date,
        outside_at,
        symbol,
        underlying_instrument_id,
        fills,
        unpriced_fills,
        net_quantity,
        bought_quantity,
        sold_quantity,
        bought_per_share,
        sold_per_share,
        known_at
    from core.trade_flow
    where
        trading_date >= (select coalesce(min(first_date), $from_date) from windows)
        and trading_date <= $to_date
    union all
    -- the night after the last day, of which no sums are stored yet
    select
        account_id,
        instrument_id,
        trading_date,
        outside_at,
        symbol,
        underlying_instrument_id,
        cast(counts as bigint) as fills,
        case when counts and value_of(signed_quantity, price, 1) is null then 1 else 0 end as unpriced_fills,
        coalesce(signed_quantity, 0) as net_quantity,
        case when signed_quantity > 0 then quantity else 0 end as bought_quantity,
        case when signed_quantity < 0 then quantity else 0 end as sold_quantity,
        case when signed_quantity > 0 then coalesce(value_of(quantity, price, 1), 0) else 0 end as bought_per_share,
        case when signed_quantity < 0 then coalesce(value_of(quantity, price, 1), 0) else 0 end as sold_per_share,
        known_at
    from fill_observed
    where trading_date > $to_date and instrument_id is not null
)

select
    windows.account_id,
    windows.trading_date as day,
    flows.instrument_id,
    flows.trading_date,
    flows.symbol,
    flows.underlying_instrument_id,
    flows.fills,
    flows.unpriced_fills,
    flows.net_quantity,
    flows.bought_quantity,
    flows.sold_quantity,
    flows.bought_per_share,
    flows.sold_per_share,
    flows.known_at,
    flows.trading_date > coalesce(windows.prev_trading_date, windows.trading_date - 1) as after_start_by_date,
    flows.trading_date <= windows.trading_date as until_end_by_date,
    coalesce(flows.outside_at > windows.prev_captured_at, after_start_by_date) as after_start_by_time,
    coalesce(flows.outside_at <= windows.captured_at, until_end_by_date) as until_end_by_time
from flows
inner join windows
    on
        flows.account_id = windows.account_id
        and flows.trading_date >= windows.first_date
        and flows.trading_date <= windows.last_date
where
    (
        flows.trading_date > coalesce(windows.prev_trading_date, windows.trading_date - 1)
        or flows.outside_at > windows.prev_captured_at
    )
    and (flows.trading_date <= windows.trading_date or flows.outside_at <= windows.captured_at)
