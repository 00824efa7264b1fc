-- Where a position or an account's day contradicts itself, or deserves a look. The broker's number is shown with the gap, never corrected.
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from position_value_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from position_row_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from change_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from fill_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from adjustment_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from expiry_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from account_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from recovery_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from instruction_check
union all
select trading_date, account_id, instrument_id, run_id, check_name, severity, value, expected, message
from history_check
