-- What became known of a closed period after it was closed: the change of a day's P&L, reported on the first open trading day that knew it (of the
-- account's known ones). A day that was closed unknown counts whole once it is known; one that becomes unknown is no adjustment.
with versions as (
    select
        stored.account_id,
        stored.trading_date,
        stored.version,
        stored.total_pnl,
        stored.known_from,
        stored.known_to,
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

-- from the version that the day was closed with; a day of which there was none counted nothing
followed as (
    select
        account_id,
        trading_date,
        version,
        total_pnl,
        known_from,
        reason,
        locked_at,
        locked_through,
        last_value(total_pnl ignore nulls) over earlier as total_before,
        count(*) over earlier as versions_before
    from versions
    where known_to > locked_at
    window earlier as (
        partition by account_id, trading_date order by version rows between unbounded preceding and 1 preceding
    )
),

changed as (
    select
        account_id,
        trading_date,
        version,
        known_from,
        reason,
        locked_at,
        try_cast(total_pnl - coalesce(total_before, 0) as decimal(28, 10)) as amount,
        versions_before > 0 and total_before is null as was_unknown,
        (
            select min(calendar.trading_date) from core.calendar
            where calendar.post_close >= followed.known_from and calendar.trading_date > followed.locked_through
        ) as open_date
    from followed
    where known_from > locked_at and total_pnl is not null and total_pnl is distinct from total_before
)

select
    changed.account_id,
    coalesce((
        select min(known.trading_date) from pnl.account_daily as known
        where known.account_id = changed.account_id and known.trading_date >= changed.open_date
    ), changed.open_date) as trading_date,
    changed.trading_date as for_trading_date,
    changed.amount,
    changed.was_unknown,
    changed.reason,
    changed.version,
    changed.known_from,
    changed.locked_at
from changed
