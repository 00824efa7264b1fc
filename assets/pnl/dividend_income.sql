-- Dividends of a day by position: what was held at each ex-date that the day covers (held before, traded and said until then, in the shares of
-- then), times what the broker announced.
with dividends as (
    select
        change.account_id,
        change.trading_date,
        change.instrument_id,
        change.prev_trading_date,
        change.quantity_prev,
        event.event_date,
        event.sequence,
        event.dividend_amount
    from position_change as change
    inner join event_observed as event
        on
            change.instrument_id = event.instrument_id
            and event.event_type = 'DIVIDEND' and event.dividend_amount is not null
            and event.event_date > coalesce(change.prev_trading_date, change.trading_date - 1)
            and event.event_date <= change.trading_date
),

-- each quantity that came before an ex-date, with the day from which on splits change it
parts as (
    select
        account_id,
        trading_date,
        instrument_id,
        event_date,
        sequence,
        cast(quantity_prev as double) as quantity,
        prev_trading_date as since
    from dividends
    union all
    select
        dividends.account_id,
        dividends.trading_date,
        dividends.instrument_id,
        dividends.event_date,
        dividends.sequence,
        cast(trade_counted.net_quantity as double) as quantity,
        trade_counted.trading_date as since
    from dividends
    inner join trade_counted
        on
            dividends.account_id = trade_counted.account_id
            and dividends.trading_date = trade_counted.day
            and dividends.instrument_id = trade_counted.instrument_id
            and dividends.event_date > trade_counted.trading_date
    union all
    select
        dividends.account_id,
        dividends.trading_date,
        dividends.instrument_id,
        dividends.event_date,
        dividends.sequence,
        cast(adjustments.quantity as double) as quantity,
        adjustments.said_date as since
    from dividends
    inner join adjustment_leg as adjustments
        on
            dividends.account_id = adjustments.account_id
            and dividends.trading_date = adjustments.trading_date
            and dividends.instrument_id = adjustments.instrument_id
            and dividends.event_date > adjustments.said_date
    where adjustments.quantity is not null
),

-- in the shares of the ex-date
split_parts as (
    select
        parts.account_id,
        parts.trading_date,
        parts.instrument_id,
        parts.event_date,
        parts.sequence,
        parts.since,
        coalesce(product_of(array_agg(split_between.ratio)), 1) as ratio
    from (select distinct account_id, trading_date, instrument_id, event_date, sequence, since from parts) as parts
    left join split_between
        on
            parts.account_id = split_between.account_id
            and parts.trading_date = split_between.trading_date
            and parts.instrument_id = split_between.instrument_id
            and split_between.effective_date > parts.since
            and split_between.effective_date <= parts.event_date
    group by all
),

held as (
    select
        parts.account_id,
        parts.trading_date,
        parts.instrument_id,
        parts.event_date,
        parts.sequence,
        case
            when bool_and(parts.quantity is not null)
                then as_quantity(sum(parts.quantity * split_parts.ratio))
        end as quantity
    from parts
    inner join split_parts
        on
            parts.account_id = split_parts.account_id
            and parts.trading_date = split_parts.trading_date
            and parts.instrument_id = split_parts.instrument_id
            and parts.event_date = split_parts.event_date
            and parts.sequence = split_parts.sequence
            and parts.since is not distinct from split_parts.since
    group by parts.account_id, parts.trading_date, parts.instrument_id, parts.event_date, parts.sequence
)

select
    dividends.account_id,
    dividends.trading_date,
    dividends.instrument_id,
    -- what was held when the first snapshot was taken says nothing of the evening before
    try_cast(sum(
        case when dividends.prev_trading_date is not null then amount_of(held.quantity, dividends.dividend_amount) end
    ) as decimal(28, 10)) as income_estimate
from dividends
inner join held
    on
        dividends.account_id = held.account_id
        and dividends.trading_date = held.trading_date
        and dividends.instrument_id = held.instrument_id
        and dividends.event_date = held.event_date
        and dividends.sequence = held.sequence
group by dividends.account_id, dividends.trading_date, dividends.instrument_id
