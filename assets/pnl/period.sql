-- Period to date: the P&L of an account summed from the start of the week (Monday), month, quarter, year and of the books, with linked
-- returns and drawdown. A sum over a day that is not known is not known, nor is what no column could hold; a gap whose P&L a later
-- day covers is counted in gap_days. Days of a closed period (`daybook lock`) count as they were closed; later changes count on the
-- open day, as prior_period_adjustment.
with summed as (
    select
        account_id,
        trading_date,
        prior_period_adjustment,
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
    from period_day
    window
        to_date as (partition by account_id order by trading_date),
        to_date_week as (partition by account_id, week order by trading_date),
        to_date_month as (partition by account_id, month order by trading_date),
        to_date_quarter as (partition by account_id, quarter order by trading_date),
        to_date_year as (partition by account_id, year order by trading_date)
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
    try_cast(round(
        case
            when return_holes_itd = 0
                then index_itd / greatest(max(index_itd) over (partition by account_id order by trading_date), 1) - 1
        end, 10
    ) as decimal(18, 10)) as drawdown,
    try_cast(prior_period_adjustment as decimal(28, 10)) as prior_period_adjustment,
    cast(gap_days as integer) as gap_days
from summed
