-- What each snapshot taken by then is worth: a fact of its run, which no later run changes.
select * from daybook.core.snapshot_grade
where
    finished_at <= getvariable('known_at')
    and account_id in (select account_id from main.asked_account)
