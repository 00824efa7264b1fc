-- What has to hold whatever the broker sends: an identity of the books that fails makes the day BROKEN.
select trading_date, account_id, instrument_id, run_id, check_name, value, expected, message
from position_invariant
union all
select trading_date, account_id, null as instrument_id, run_id, check_name, value, expected, message
from account_invariant
union all
select trading_date, account_id, null as instrument_id, run_id, check_name, value, expected, message
from day_invariant
