-- Days of which a run's portfolio-history tells, before the first known day of their account: nothing else in the books speaks of them.
with first_known as (
    select account_id, min(trading_date) as trading_date
    from core.account_eod
    group by account_id
)

select distinct calendar.trading_date
from raw.portfolio_history as history
semi join telling_run on history.run_id = telling_run.run_id
inner join core.calendar on history.date = calendar.trading_date
left join first_known on history.account_id = first_known.account_id
where first_known.trading_date is null or history.date < first_known.trading_date
