-- Whose rows of raw.positions an account's day is made of: those of the snapshot that speaks for it; of a recovered day also those of the last end of
-- day that was read, for what is no longer in the snapshot that stands in for it (`is_before`).
select
    account_eod.account_id,
    account_eod.trading_date,
    account_eod.run_id,
    account_eod.marks_run_id,
    account_eod.daily_fields_run_id,
    account_eod.grade = 'LATE' as is_late,
    marks_run.grade = 'LATE' as marks_are_late,
    account_eod.grade = 'RECOVERED' as is_recovered,
    false as is_before
from core.account_eod
inner join core.run as marks_run on account_eod.marks_run_id = marks_run.run_id
where account_eod.trading_date between $from_date and $to_date
union all
select
    account_id,
    trading_date,
    anchor_run_id as run_id,
    anchor_run_id as marks_run_id,
    null as daily_fields_run_id,
    false as is_late,
    false as marks_are_late,
    true as is_recovered,
    true as is_before
from recovered_day
