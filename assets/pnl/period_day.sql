-- Days of an account as its periods sum them: a closed one (`daybook lock`) as it was closed, with what became known of it later counted on the
-- open day; days that nobody read, with the broker's figures; and whether P&L and return are known. A return of -100 % loses all (`is_lost`).
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

-- days that nobody read and a later row covers: the broker's figures of them, where its history has any
missed as (
    select
        covering.account_id,
        calendar.trading_date,
        covering.trading_date as covered_by,
        missed_day.total_pnl,
        missed_day.daily_return
    from pnl.account_daily as covering
    inner join core.calendar
        on covering.prev_trading_date < calendar.trading_date and calendar.trading_date < covering.trading_date
    left join pnl.missed_day
        on covering.account_id = missed_day.account_id and calendar.trading_date = missed_day.trading_date
    where covering.days_covered > 1
),

missed_pnl as (
    select account_id, covered_by, sum(total_pnl) as total_pnl
    from missed
    group by account_id, covered_by
),

daily as (
    select
        account_daily.account_id,
        account_daily.trading_date,
        false as is_missed,
        case when closed.account_id is null then account_daily.total_pnl else closed.total_pnl end
        - coalesce(missed_pnl.total_pnl, 0) as own_pnl,
        coalesce(adjusted.amount, 0) as prior_period_adjustment,
        account_daily.daily_return,
        -- the first day's P&L was earned before anyone looked: it is no hole in the sums that start after it
        account_daily.prev_trading_date is null as is_opening,
        coalesce(account_daily.days_covered - 1, 0) as days_missed,
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
    left join missed_pnl
        on account_daily.account_id = missed_pnl.account_id and account_daily.trading_date = missed_pnl.covered_by
    union all
    select
        account_id,
        trading_date,
        true as is_missed,
        -- what its history lacks is in the row that covers the day
        coalesce(total_pnl, 0) as own_pnl,
        0 as prior_period_adjustment,
        daily_return,
        false as is_opening,
        0 as days_missed,
        0 as filled,
        0 as filled_week,
        0 as filled_month,
        0 as filled_quarter,
        0 as filled_year
    from missed
)

select
    account_id,
    trading_date,
    is_missed,
    -- an adjustment counts though the day's own figure is not known
    case when own_pnl is null then nullif(prior_period_adjustment, 0) else own_pnl + prior_period_adjustment end as total_pnl,
    prior_period_adjustment,
    days_missed,
    date_trunc('week', trading_date) as week,
    date_trunc('month', trading_date) as month,
    date_trunc('quarter', trading_date) as quarter,
    date_trunc('year', trading_date) as year,
    case when own_pnl is null and not is_opening then 1 else 0 end as is_hole,
    is_hole - filled_week as holes_week,
    is_hole - filled_month as holes_month,
    is_hole - filled_quarter as holes_quarter,
    is_hole - filled_year as holes_year,
    is_hole - filled as holes,
    case when daily_return is null and not is_opening then 1 else 0 end as unknown_return,
    case when daily_return = -1 then 1 else 0 end as is_lost,
    case when daily_return > -1 then ln(1 + cast(daily_return as double)) end as log_growth
from daily
