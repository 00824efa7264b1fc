-- Days of an account as its periods sum them: a closed one (`daybook lock`) as it was closed, with what became known of it later counted on the
-- open day; and whether its P&L and its return are known.
with locks as (
    select
        daily.account_id,
        daily.trading_date,
        min(period_lock.locked_at) as locked_at
    from pnl.account_daily as daily
    inner join core.period_lock
        on
            daily.trading_date <= period_lock.locked_through
            and (period_lock.account_id is null or daily.account_id = period_lock.account_id)
    group by daily.account_id, daily.trading_date
),

-- a closed day keeps the figure that it was closed with; what is learnt later is an adjustment of the open day
closed as (
    select
        locks.account_id,
        locks.trading_date,
        stored.total_pnl
    from locks
    left join pnl.account_daily_version as stored
        on
            locks.account_id = stored.account_id
            and locks.trading_date = stored.trading_date
            and stored.known_from <= locks.locked_at
            and locks.locked_at < stored.known_to
),

adjusted as (
    select
        account_id,
        trading_date,
        sum(amount) as amount
    from pnl.prior_period_adjustment
    group by account_id, trading_date
),

daily as (
    select
        account_daily.account_id,
        account_daily.trading_date,
        case when closed.account_id is null then account_daily.total_pnl else closed.total_pnl end
        + coalesce(adjusted.amount, 0) as total_pnl,
        coalesce(adjusted.amount, 0) as prior_period_adjustment,
        account_daily.daily_return,
        -- the first day's P&L was earned before anyone looked: it is no hole in the sums that start after it
        account_daily.prev_trading_date is null and account_daily.total_pnl is null as is_opening,
        coalesce(account_daily.days_covered - 1, 0) as days_missed
    from pnl.account_daily
    left join closed
        on account_daily.account_id = closed.account_id and account_daily.trading_date = closed.trading_date
    left join adjusted
        on account_daily.account_id = adjusted.account_id and account_daily.trading_date = adjusted.trading_date
)

select
    account_id,
    trading_date,
    total_pnl,
    prior_period_adjustment,
    days_missed,
    date_trunc('week', trading_date) as week,
    date_trunc('month', trading_date) as month,
    date_trunc('quarter', trading_date) as quarter,
    date_trunc('year', trading_date) as year,
    case when total_pnl is null and not is_opening then 1 else 0 end as unknown_day,
    case when daily_return is null and not is_opening then 1 else 0 end as unknown_return,
    case when is_opening then 1 when daily_return > -1 then 1 + cast(daily_return as double) end as growth
from daily
