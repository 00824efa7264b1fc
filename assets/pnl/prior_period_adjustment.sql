-- What became known of a closed period after it was closed: the change of a day's P&L, reported on the first open trading day that knew it.
with closed as (
    select
        stored.account_id,
        stored.trading_date,
        stored.version,
        stored.total_pnl,
        stored.known_from,
        stored.reason,
        min(period_lock.locked_at) as locked_at,
        max(case when period_lock.locked_at <= stored.known_from then period_lock.locked_through end) as locked_through
    from pnl.account_daily_version as stored
    inner join core.period_lock
        on
            stored.trading_date <= period_lock.locked_through
            and (period_lock.account_id is null or stored.account_id = period_lock.account_id)
    group by all
),

changed as (
    select
        closed.account_id,
        closed.trading_date,
        closed.version,
        closed.total_pnl,
        closed.known_from,
        closed.reason,
        closed.locked_at,
        closed.locked_through,
        former.total_pnl as total_pnl_before
    from closed
    inner join pnl.account_daily_version as former
        on
            closed.account_id = former.account_id
            and closed.trading_date = former.trading_date
            and closed.version = former.version + 1
    where closed.known_from > closed.locked_at
)

select
    changed.account_id,
    (
        select min(calendar.trading_date) from core.calendar
        where calendar.post_close >= changed.known_from and calendar.trading_date > changed.locked_through
    ) as trading_date,
    changed.trading_date as for_trading_date,
    try_cast(coalesce(changed.total_pnl, 0) - coalesce(changed.total_pnl_before, 0) as decimal(28, 10)) as amount,
    changed.reason,
    changed.version,
    changed.known_from,
    changed.locked_at
from changed
where changed.total_pnl is distinct from changed.total_pnl_before
