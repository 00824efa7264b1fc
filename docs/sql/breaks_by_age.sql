-- Where do we and the broker disagree, and for how long already?
-- Only BREAK: a headline figure that differs by more than its tolerance. difference is ours less the broker's; age_days counts trading days since the day that
-- it is about, so the oldest, which nobody has explained yet, come first.
select
    age_days,
    trading_date,
    account_id,
    check_name,
    ours,
    broker,
    difference,
    tolerance
from quality.reconciliation
where status = 'BREAK'
order by age_days desc, account_id asc, check_name asc
