-- What was traded: fills of each account and instrument summed by trading date, per share before the multiplier. A fill seen in several
-- runs counts once, in its latest form; one without a price (a multileg) or with a side nobody knows is counted apart, never guessed.
with runs as (
    select run_id, finished_at from core.run where trading_date >= $from_date
),

owned as (
    select
        min(owns_from) as owns_from,
        max(post_close) as owns_to
    from core.calendar
    where trading_date between $from_date and $to_date
),

observed as (
    select
        executions.account_id,
        executions.id,
        executions.instrument_id,
        executions.symbol,
        executions.underlying_instrument_id,
        executions.side,
        executions.quantity,
        executions.price,
        executions.transaction_time,
        min(runs.finished_at) as known_at,
        max(runs.finished_at) as last_observed_at
    from raw.executions
    inner join runs on executions.run_id = runs.run_id
    cross join owned
    where executions.transaction_time > owned.owns_from and executions.transaction_time <= owned.owns_to
    group by all
),

fills as (
    select
        account_id,
        instrument_id,
        symbol,
        underlying_instrument_id,
        quantity,
        price,
        transaction_time,
        known_at,
        case
            when side = 'BUY' then quantity
            when side in ('SELL', 'SELL_SHORT') then -quantity
        end as signed_quantity
    from observed
    where instrument_id is not null
    qualify row_number() over (
        partition by account_id, id order by last_observed_at desc, known_at desc
    ) = 1
)

select
    fills.account_id,
    fills.instrument_id,
    calendar.trading_date,
    max(fills.symbol) as symbol,
    max(fills.underlying_instrument_id) as underlying_instrument_id,
    count(*) as fills,
    count(*) filter (where value_of(fills.signed_quantity, fills.price, 1) is null) as unpriced_fills,
    try_cast(coalesce(sum(fills.signed_quantity), 0) as decimal(24, 8)) as net_quantity,
    try_cast(coalesce(sum(fills.quantity) filter (where fills.signed_quantity > 0), 0) as decimal(24, 8))
        as bought_quantity,
    try_cast(coalesce(sum(fills.quantity) filter (where fills.signed_quantity < 0), 0) as decimal(24, 8))
        as sold_quantity,
    try_cast(coalesce(
        sum(value_of(fills.quantity, fills.price, 1)) filter (where fills.signed_quantity > 0), 0
    ) as decimal(28, 10)) as bought_per_share,
    try_cast(coalesce(
        sum(value_of(fills.quantity, fills.price, 1)) filter (where fills.signed_quantity < 0), 0
    ) as decimal(28, 10)) as sold_per_share,
    max(fills.known_at) as known_at
from fills
inner join core.calendar
    on fills.transaction_time > calendar.owns_from and fills.transaction_time <= calendar.post_close
where calendar.trading_date between $from_date and $to_date
group by fills.account_id, fills.instrument_id, calendar.trading_date
