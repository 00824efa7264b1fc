-- The currency of each account, as its balances said last; an account whose balances nobody read has none.
select
    account_id,
    max_by(currency, trading_date) as currency
from core.broker_day
where currency is not null
group by account_id
