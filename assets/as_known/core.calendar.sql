-- The sessions, as they are.
select * from daybook.core.calendar
