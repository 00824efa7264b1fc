-- Trading days of which an account's end of day is not known, why, and the next known day, whose P&L covers the hole.
select
    account_id,
    trading_date,
    reason,
    min(case when is_known then trading_date end) over (
        partition by account_id order by trading_date rows between 1 following and unbounded following
    ) as covered_by_date
from core.expected_day
qualify reason is not null
