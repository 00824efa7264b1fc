-- What became of a closed day after it was closed: it changed, which counts on an open day, or it is not known any more, which counts nowhere.
with closed as (
    select
        daily.account_id,
        daily.trading_date,
        daily.run_id,
        daily.total_pnl,
        min(period_lock.locked_at) as locked_at
    from pnl.account_daily as daily
    inner join core.period_lock
        on
            daily.trading_date <= period_lock.locked_through
            and (period_lock.account_id is null or daily.account_id = period_lock.account_id)
    group by all
)

select
    closed.trading_date,
    closed.account_id,
    closed.run_id,
    'closed_day_unknown' as check_name,
    null as value,
    cast(stored.total_pnl as string) as expected,
    'the day was closed with a P&L that is not known any more: it keeps that figure, and nothing is adjusted until it is known again'
        as message
from closed
inner join pnl.account_daily_version as stored
    on
        closed.account_id = stored.account_id
        and closed.trading_date = stored.trading_date
        and stored.known_from <= closed.locked_at and closed.locked_at < stored.known_to
where closed.total_pnl is null and stored.total_pnl is not null
union all
select
    adjustment.for_trading_date as trading_date,
    adjustment.account_id,
    null as run_id,
    'closed_day_changed' as check_name,
    cast(adjustment.amount as string) as value,
    null as expected,
    'what became known of the closed day, adjustments.csv included, counts on ' || cast(adjustment.trading_date as string)
    || ' (pnl.prior_period_adjustment)' as message
from pnl.prior_period_adjustment as adjustment
