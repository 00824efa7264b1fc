-- How much cash and buying power had each account at the end of each day, and how much of its equity is cash?
-- As the broker's balances said that evening; null where nobody could read them. Cash counts what was traded on the day, settled_cash what had settled.
select
    account_id,
    trading_date,
    currency,
    equity,
    cash,
    settled_cash,
    buying_power,
    margin_type,
    round(100 * cast(cash as double) / nullif(cast(equity as double), 0), 2) as cash_pct_of_equity
from core.balance_daily
order by account_id, trading_date
