-- What became known of periods that were closed already, and on which open day does it count?
-- The closed day keeps the figure that it was closed with in month, quarter and year to date; the difference counts on trading_date. pnl.account_daily itself always
-- shows the best knowledge of every day, closed or not.
select
    account_id,
    for_trading_date as closed_day,
    trading_date as counted_on,
    amount,
    reason,
    locked_at,
    known_from
from pnl.prior_period_adjustment
order by known_from, account_id, closed_day
