-- The currency of each account, as its balances said last, however long ago that is: an account whose balances nobody ever read has none.
select
    balances.account_id,
    max_by(balances.currency, balances.run_id) filter (where balances.currency is not null) as currency
from raw.balances
semi join core.run on balances.run_id = run.run_id
where balances.currency is not null
group by balances.account_id
