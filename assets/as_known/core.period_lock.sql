-- The periods that were closed by then.
select * from daybook.core.period_lock
where locked_at <= getvariable('known_at')
