-- Options that settle in cash, so that no share ever moves for them: on an index, or where their contract says so.
select id as instrument_id
from option_contract
where settlement like 'CASH%'
union
select executions.instrument_id
from raw.executions
where executions.underlying_instrument_type = 'INDEX' and executions.instrument_id is not null
union
select positions.instrument_id
from raw.positions
inner join core.run on positions.run_id = run.run_id
where positions.underlying_instrument_type = 'INDEX' and run.trading_date between $from_date - 31 and $to_date
