-- Which days are missing, why, and which later day carries their P&L?
-- One row per account and missing day. covered_pnl is the whole P&L of the covering day, which spans the days of the gap as well (days_covered counts them);
-- covered_by_date is null while no later day is known. The split of covered_pnl over its days is not knowable, so none is made up.
select
    gap.account_id,
    gap.trading_date,
    gap.reason,
    gap.covered_by_date,
    account_daily.days_covered,
    account_daily.total_pnl as covered_pnl
from quality.gap
left join pnl.account_daily
    on gap.account_id = account_daily.account_id and gap.covered_by_date = account_daily.trading_date
order by gap.trading_date, gap.account_id
