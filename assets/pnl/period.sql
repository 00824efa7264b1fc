-- Period to date: the P&L of an account summed from the start of the week (Monday), month, quarter, year and of the books, with linked
-- returns and drawdown. A sum over a day that is not known is not known, nor is what no column could hold; a gap whose P&L a later
-- day covers is counted in gap_days. Days of a closed period (`daybook lock`) count as they were closed; later changes count on the
-- open day, as prior_period_adjustment.
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
        coalesce(account_daily.days_covered - 1, 0) as days_missed,
        date_trunc('week', account_daily.trading_date) as week,
        date_trunc('month', account_daily.trading_date) as month,
        date_trunc('quarter', account_daily.trading_date) as quarter,
        date_trunc('year', account_daily.trading_date) as year
    from pnl.account_daily
    left join closed
        on account_daily.account_id = closed.account_id and account_daily.trading_date = closed.trading_date
    left join adjusted
        on account_daily.account_id = adjusted.account_id and account_daily.trading_date = adjusted.trading_date
),

marked as (
    select
        *,
        case when total_pnl is null and not is_opening then 1 else 0 end as unknown_day,
        case when daily_return is null and not is_opening then 1 else 0 end as unknown_return,
        case when is_opening then 1 when daily_return > -1 then 1 + cast(daily_return as double) end as growth
    from daily
),

summed as (
    select
        *,
        sum(total_pnl) over to_date_week as sum_wtd,
        sum(unknown_day) over to_date_week as holes_wtd,
        sum(total_pnl) over to_date_month as sum_mtd,
        sum(unknown_day) over to_date_month as holes_mtd,
        sum(total_pnl) over to_date_quarter as sum_qtd,
        sum(unknown_day) over to_date_quarter as holes_qtd,
        sum(total_pnl) over to_date_year as sum_ytd,
        sum(unknown_day) over to_date_year as holes_ytd,
        sum(total_pnl) over to_date as sum_itd,
        sum(unknown_day) over to_date as holes_itd,
        sum(days_missed) over to_date as gap_days,
        exp(sum(ln(growth)) over to_date_month) as index_mtd,
        sum(unknown_return + days_missed) over to_date_month as return_holes_mtd,
        exp(sum(ln(growth)) over to_date_year) as index_ytd,
        sum(unknown_return + days_missed) over to_date_year as return_holes_ytd,
        exp(sum(ln(growth)) over to_date) as index_itd,
        sum(unknown_return + days_missed) over to_date as return_holes_itd
    from marked
    window
        to_date as (partition by account_id order by trading_date),
        to_date_week as (partition by account_id, week order by trading_date),
        to_date_month as (partition by account_id, month order by trading_date),
        to_date_quarter as (partition by account_id, quarter order by trading_date),
        to_date_year as (partition by account_id, year order by trading_date)
),

peaked as (
    select
        *,
        greatest(max(index_itd) over (partition by account_id order by trading_date), 1) as peak
    from summed
)

select
    account_id,
    trading_date,
    try_cast(case when holes_wtd = 0 then sum_wtd end as decimal(28, 10)) as wtd,
    try_cast(case when holes_mtd = 0 then sum_mtd end as decimal(28, 10)) as mtd,
    try_cast(case when holes_qtd = 0 then sum_qtd end as decimal(28, 10)) as qtd,
    try_cast(case when holes_ytd = 0 then sum_ytd end as decimal(28, 10)) as ytd,
    try_cast(case when holes_itd = 0 then sum_itd end as decimal(28, 10)) as itd,
    try_cast(round(case when return_holes_mtd = 0 then index_mtd - 1 end, 10) as decimal(18, 10)) as twr_mtd,
    try_cast(round(case when return_holes_ytd = 0 then index_ytd - 1 end, 10) as decimal(18, 10)) as twr_ytd,
    try_cast(round(case when return_holes_itd = 0 then index_itd - 1 end, 10) as decimal(18, 10)) as twr_itd,
    try_cast(round(case when return_holes_itd = 0 then index_itd / peak - 1 end, 10) as decimal(18, 10)) as drawdown,
    try_cast(prior_period_adjustment as decimal(28, 10)) as prior_period_adjustment,
    cast(gap_days as integer) as gap_days
from peaked
