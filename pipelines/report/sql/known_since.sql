-- Since when the sums of each account count, over how many days of the books, and how many sessions that the broker's history alone tells of.
select
    account_id,
    mtd_since,
    mtd_from_books,
    mtd_from_broker,
    ytd_since,
    ytd_from_books,
    ytd_from_broker,
    since,
    from_books,
    from_broker,
    gap_days
from pnl.period
where trading_date = $day
order by since, account_id
