-- What has each account returned in each month, and in the year so far?
-- Linked from daily returns net of fees, fractions: 0.01 is one per cent. Null where the return of a session is not known; the sessions of the books and those
-- that only the broker's history tells of count alike, and are counted here.
select
    period.account_id,
    cast(date_trunc('month', period.trading_date) as date) as month,
    period.mtd as total_pnl,
    period.twr_mtd as twr,
    period.twr_ytd as twr_of_the_year_so_far,
    period.mtd_from_books as from_books,
    period.mtd_from_broker as from_broker
from pnl.period
qualify
    row_number() over (
        partition by period.account_id, date_trunc('month', period.trading_date) order by period.trading_date desc
    ) = 1
order by period.account_id, month
