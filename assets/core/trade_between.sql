-- What was traded between two ends of day of an account, by instrument: the days that nobody fetched count on the next known one. The net
-- quantity is in the shares of the day itself: a fill before a split that the same row covers counts in the shares of after it.
with traded as (
    select
        account_day.account_id,
        account_day.trading_date as day,
        account_day.prev_trading_date,
        trade_flow.trading_date,
        trade_flow.instrument_id,
        trade_flow.symbol,
        trade_flow.underlying_instrument_id,
        trade_flow.fills,
        trade_flow.unpriced_fills,
        trade_flow.net_quantity,
        trade_flow.bought_quantity,
        trade_flow.sold_quantity,
        trade_flow.bought_per_share,
        trade_flow.sold_per_share,
        trade_flow.known_at
    from core.trade_flow
    inner join account_day
        on
            trade_flow.account_id = account_day.account_id
            and trade_flow.trading_date <= account_day.trading_date
            and trade_flow.trading_date > coalesce(account_day.prev_trading_date, account_day.trading_date - 1)
    where trade_flow.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from account_day)
),

later_splits as (
    select
        traded.account_id,
        traded.day,
        traded.instrument_id,
        traded.trading_date,
        exp(sum(ln(cast(split_observed.numerator as double)) - ln(cast(split_observed.denominator as double)))) as ratio
    from traded
    inner join split_observed
        on
            traded.instrument_id = split_observed.instrument_id
            and split_observed.event_date > traded.trading_date
            and split_observed.event_date <= traded.day
    where traded.prev_trading_date is not null and traded.trading_date < traded.day
    group by traded.account_id, traded.day, traded.instrument_id, traded.trading_date
)

select
    traded.account_id,
    traded.day as trading_date,
    traded.instrument_id,
    max(traded.symbol) as symbol,
    max(traded.underlying_instrument_id) as underlying_instrument_id,
    sum(traded.fills) as fills,
    sum(traded.unpriced_fills) as unpriced_fills,
    -- a day whose fills no column could hold makes the sum unknown, not smaller
    case
        when
            bool_and(
                traded.net_quantity is not null
                and coalesce(abs(cast(traded.net_quantity as double) * later_splits.ratio) < 1e15, true)
            )
            then try_cast(sum(
                case
                    when later_splits.ratio is null then traded.net_quantity
                    else try_cast(round(cast(traded.net_quantity as double) * later_splits.ratio, 8) as decimal(24, 8))
                end
            ) as decimal(24, 8))
    end as net_quantity,
    try_cast(sum(traded.bought_quantity) as decimal(24, 8)) as bought_quantity,
    try_cast(sum(traded.sold_quantity) as decimal(24, 8)) as sold_quantity,
    try_cast(sum(traded.bought_per_share) as decimal(28, 10)) as bought_per_share,
    try_cast(sum(traded.sold_per_share) as decimal(28, 10)) as sold_per_share,
    max(traded.known_at) as known_at
from traded
left join later_splits
    on
        traded.account_id = later_splits.account_id
        and traded.day = later_splits.day
        and traded.instrument_id = later_splits.instrument_id
        and traded.trading_date = later_splits.trading_date
group by traded.account_id, traded.day, traded.instrument_id
