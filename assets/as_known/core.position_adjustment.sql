-- What people noted: adjustments.csv has no knowledge time, so all of it.
select * from daybook.core.position_adjustment
where account_id in (select account_id from main.asked_account)
