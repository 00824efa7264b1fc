-- What was traded between two ends of day of an account, by instrument. The net quantity is in the shares of the day itself: a fill before a split
-- that the same row covers counts in the shares of after it.
with later_splits as (
    select
        trade_counted.account_id,
        trade_counted.day,
        trade_counted.instrument_id,
        trade_counted.trading_date,
        product_of(array_agg(split_between.ratio)) as ratio
    from (select distinct account_id, day, instrument_id, trading_date from trade_counted) as trade_counted
    inner join split_between
        on
            trade_counted.account_id = split_between.account_id
            and trade_counted.day = split_between.trading_date
            and trade_counted.instrument_id = split_between.instrument_id
            and split_between.effective_date > trade_counted.trading_date
    group by trade_counted.account_id, trade_counted.day, trade_counted.instrument_id, trade_counted.trading_date
)

select
    trade_counted.account_id,
    trade_counted.day as trading_date,
    trade_counted.instrument_id,
    max(trade_counted.symbol) as symbol,
    max(trade_counted.underlying_instrument_id) as underlying_instrument_id,
    sum(trade_counted.fills) as fills,
    sum(trade_counted.unpriced_fills) as unpriced_fills,
    bool_or(trade_counted.is_after_snapshot and trade_counted.fills > 0) as after_snapshot,
    -- a day whose fills are too large for their column makes the sum unknown, not smaller
    case
        when
            bool_and(
                trade_counted.net_quantity is not null
                and coalesce(abs(cast(trade_counted.net_quantity as double) * later_splits.ratio) < 1e15, true)
            )
            then try_cast(sum(
                case
                    when later_splits.ratio is null then trade_counted.net_quantity
                    else as_quantity(cast(trade_counted.net_quantity as double) * later_splits.ratio)
                end
            ) as decimal(24, 8))
    end as net_quantity,
    try_cast(sum(trade_counted.bought_quantity) as decimal(24, 8)) as bought_quantity,
    try_cast(sum(trade_counted.sold_quantity) as decimal(24, 8)) as sold_quantity,
    try_cast(sum(trade_counted.bought_per_share) as decimal(28, 10)) as bought_per_share,
    try_cast(sum(trade_counted.sold_per_share) as decimal(28, 10)) as sold_per_share,
    max(trade_counted.known_at) as known_at
from trade_counted
left join later_splits
    on
        trade_counted.account_id = later_splits.account_id
        and trade_counted.day = later_splits.day
        and trade_counted.instrument_id = later_splits.instrument_id
        and trade_counted.trading_date = later_splits.trading_date
group by trade_counted.account_id, trade_counted.day, trade_counted.instrument_id
