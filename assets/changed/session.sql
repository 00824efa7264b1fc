-- Days whose session the broker's calendar tells otherwise than before.
select coalesce(now_said.trading_date, said_before.trading_date) as trading_date
from input_session as now_said
full join core.calendar as said_before on now_said.trading_date = said_before.trading_date
where
    exists (select 1 from core.calendar)
    and (now_said.regular_open, now_said.regular_close, now_said.source, now_said.conflict)
    is distinct from
    (said_before.regular_open, said_before.regular_close, said_before.source, said_before.conflict)
