-- The findings of the runs that were over by then; those of no run belong to the day itself.
select * from daybook.quality.finding
where
    (run_id is null or run_id in (select run_id from core.run))
    and (account_id is null or account_id in (select account_id from main.asked_account))
