-- When accounts were closed: from the day on which one closed until a list of accounts had it open again (`reopened_on`; 9999-12-31 where none has).
-- Sessions between the two are no days of the account.
with listed as (
    select
        accounts.account_id,
        run.trading_date,
        accounts.close_date,
        coalesce(accounts.status = 'CLOSED' or accounts.close_date is not null, false) as is_closed,
        min(case when accounts.status is distinct from 'CLOSED' and accounts.close_date is null then run.trading_date end)
            over (
                partition by accounts.account_id order by run.trading_date
                rows between 1 following and unbounded following
            ) as reopened_on
    from raw.accounts
    inner join core.run on accounts.run_id = run.run_id
    semi join (
        select account_id from raw.accounts where status = 'CLOSED' or close_date is not null
    ) as ever_closed on accounts.account_id = ever_closed.account_id
)

select
    account_id,
    coalesce(max_by(close_date, trading_date) filter (where close_date is not null), min(trading_date)) as closed_on,
    coalesce(reopened_on, cast('9999-12-31' as date)) as reopened_on
from listed
where is_closed
group by account_id, reopened_on
