-- Period to date: the P&L of an account summed from the start of the week (Monday), month, quarter, year and of its history, with linked returns and
-- drawdown, for every session that its history has. Beside each sum: since when it counts, over how many days of the books and how many that the
-- broker alone tells of (those of the whole history are since, from_books and from_broker). A sum over a session that is not known is not known, nor is
-- one too large for its column. A missed session that no history tells of counts with the day that covers it, and its return is not known: gap_days. A
-- return of -100 % makes the index 0 for good. Days of a closed period (`daybook lock`) count as they were closed; later changes count on the open
-- day, as prior_period_adjustment.
with summed as (
    select
        account_id,
        trading_date,
        source,
        prior_period_adjustment,
        sum(total_pnl) over to_date_week as sum_wtd,
        sum(holes_week) over to_date_week as holes_wtd,
        min(counted_on) over to_date_week as wtd_since,
        sum(from_books) over to_date_week as wtd_from_books,
        sum(from_broker) over to_date_week as wtd_from_broker,
        sum(total_pnl) over to_date_month as sum_mtd,
        sum(holes_month) over to_date_month as holes_mtd,
        min(counted_on) over to_date_month as mtd_since,
        sum(from_books) over to_date_month as mtd_from_books,
        sum(from_broker) over to_date_month as mtd_from_broker,
        sum(total_pnl) over to_date_quarter as sum_qtd,
        sum(holes_quarter) over to_date_quarter as holes_qtd,
        min(counted_on) over to_date_quarter as qtd_since,
        sum(from_books) over to_date_quarter as qtd_from_books,
        sum(from_broker) over to_date_quarter as qtd_from_broker,
        sum(total_pnl) over to_date_year as sum_ytd,
        sum(holes_year) over to_date_year as holes_ytd,
        min(counted_on) over to_date_year as ytd_since,
        sum(from_books) over to_date_year as ytd_from_books,
        sum(from_broker) over to_date_year as ytd_from_broker,
        sum(total_pnl) over to_date as sum_itd,
        sum(holes) over to_date as holes_itd,
        min(counted_on) over to_date as since,
        sum(from_books) over to_date as from_books,
        sum(from_broker) over to_date as from_broker,
        sum(gap_days) over to_date as gap_days,
        case
            when max(is_lost) over to_date_month = 1 then 0
            when sum(unknown_return) over to_date_month = 0 then exp(coalesce(sum(log_growth) over to_date_month, 0))
        end as index_mtd,
        case
            when max(is_lost) over to_date_year = 1 then 0
            when sum(unknown_return) over to_date_year = 0 then exp(coalesce(sum(log_growth) over to_date_year, 0))
        end as index_ytd,
        case
            when max(is_lost) over to_date = 1 then 0
            when sum(unknown_return) over to_date = 0 then exp(coalesce(sum(log_growth) over to_date, 0))
        end as index_itd
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
    try_cast(round(index_mtd - 1, 10) as decimal(18, 10)) as twr_mtd,
    try_cast(round(index_ytd - 1, 10) as decimal(18, 10)) as twr_ytd,
    try_cast(round(index_itd - 1, 10) as decimal(18, 10)) as twr_itd,
    try_cast(
        round(index_itd / greatest(max(index_itd) over (partition by account_id order by trading_date), 1) - 1, 10)
        as decimal(18, 10)
    ) as drawdown,
    try_cast(prior_period_adjustment as decimal(28, 10)) as prior_period_adjustment,
    cast(gap_days as integer) as gap_days,
    since,
    cast(from_books as integer) as from_books,
    cast(from_broker as integer) as from_broker,
    wtd_since,
    cast(wtd_from_books as integer) as wtd_from_books,
    cast(wtd_from_broker as integer) as wtd_from_broker,
    mtd_since,
    cast(mtd_from_books as integer) as mtd_from_books,
    cast(mtd_from_broker as integer) as mtd_from_broker,
    qtd_since,
    cast(qtd_from_books as integer) as qtd_from_books,
    cast(qtd_from_broker as integer) as qtd_from_broker,
    ytd_since,
    cast(ytd_from_books as integer) as ytd_from_books,
    cast(ytd_from_broker as integer) as ytd_from_broker
from summed
where source is not null
