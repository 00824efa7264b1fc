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

-- a closed day keeps the figure that it was closed with (none, where nobody knew it: the day after it covered it); what is learnt later is an
-- adjustment of the open day
closed as (
    select
        locks.account_id,
        locks.trading_date,
        case when stored.account_id is null then 0 else stored.total_pnl end as total_pnl
    from locks
    left join pnl.account_daily_version as stored
        on
            locks.account_id = stored.account_id
            and locks.trading_date = stored.trading_date
            and stored.known_from <= locks.locked_at
            and locks.locked_at < stored.known_to
),

-- with how many days that were closed unknown it makes known, which are no holes from then on
adjusted as (
    select
        account_id,
        trading_date,
        sum(amount) as amount,
        count(*) filter (where was_unknown) as filled,
        count(*) filter (
            where was_unknown and date_trunc('week', trading_date) = date_trunc('week', for_trading_date)
        ) as filled_week,
        count(*) filter (
            where was_unknown and date_trunc('month', trading_date) = date_trunc('month', for_trading_date)
        ) as filled_month,
        count(*) filter (
            where was_unknown and date_trunc('quarter', trading_date) = date_trunc('quarter', for_trading_date)
        ) as filled_quarter,
        count(*) filter (
            where was_unknown and date_trunc('year', trading_date) = date_trunc('year', for_trading_date)
        ) as filled_year
    from pnl.prior_period_adjustment
    group by account_id, trading_date
),

daily as (
    select
        account_daily.account_id,
        account_daily.trading_date,
        case when closed.account_id is null then account_daily.total_pnl else closed.total_pnl end as own_pnl,
        coalesce(adjusted.amount, 0) as prior_period_adjustment,
        account_daily.daily_return,
        -- the first day's P&L was earned before anyone looked: it is no hole in the sums that start after it
        account_daily.prev_trading_date is null and account_daily.total_pnl is null as is_opening,
        coalesce(account_daily.days_covered - 1, 0) as days_missed,
        case when own_pnl is null and not is_opening then 1 else 0 end as is_hole,
        coalesce(adjusted.filled, 0) as filled,
        coalesce(adjusted.filled_week, 0) as filled_week,
        coalesce(adjusted.filled_month, 0) as filled_month,
        coalesce(adjusted.filled_quarter, 0) as filled_quarter,
        coalesce(adjusted.filled_year, 0) as filled_year
    from pnl.account_daily
    left join closed
        on account_daily.account_id = closed.account_id and account_daily.trading_date = closed.trading_date
    left join adjusted
        on account_daily.account_id = adjusted.account_id and account_daily.trading_date = adjusted.trading_date
)

select
    account_id,
    trading_date,
    -- an adjustment counts though the day's own figure is not known
    case when own_pnl is null then nullif(prior_period_adjustment, 0) else own_pnl + prior_period_adjustment end as total_pnl,
    prior_period_adjustment,
    days_missed,
    date_trunc('week', trading_date) as week,
    date_trunc('month', trading_date) as month,
    date_trunc('quarter', trading_date) as quarter,
    date_trunc('year', trading_date) as year,
    is_hole - filled_week as holes_week,
    is_hole - filled_month as holes_month,
    is_hole - filled_quarter as holes_quarter,
    is_hole - filled_year as holes_year,
    is_hole - filled as holes,
    case when daily_return is null and not is_opening then 1 else 0 end as unknown_return,
    case when is_opening then 1 when daily_return > -1 then 1 + cast(daily_return as double) end as growth
from daily
