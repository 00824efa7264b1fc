-- The runs that were over at the knowledge time.
select * from daybook.core.run
where finished_at <= getvariable('known_at')
