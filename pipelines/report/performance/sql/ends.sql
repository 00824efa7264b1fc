-- The last session within the period of each account, and of all accounts of a currency together: an account that was closed in it ends earlier.
select
    account_id,
    currency,
    max(trading_date) as as_of
from main.performance_day
where trading_date between $first_date and $day
group by account_id, currency
