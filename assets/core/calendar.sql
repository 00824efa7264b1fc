-- Trading days of the US equity market: session times, the days before and after, and whether the broker's calendar or the shipped table said so.
-- A trading date owns the instants after the evening end (20:00 New York) of the session before it, up to its own.
select
    trading_date,
    'us_equities' as market,
    case when early_close then 'EARLY_CLOSE' else 'TRADING_DAY' end as day_type,
    pre_open,
    regular_open,
    regular_close,
    post_close,
    lag(post_close) over sessions as owns_from,
    lag(trading_date) over sessions as prev_trading_date,
    lead(trading_date) over sessions as next_trading_date,
    row_number() over sessions as session_number,
    source,
    conflict
from input_session
window sessions as (order by trading_date)
