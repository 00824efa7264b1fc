-- Options that are gone and settle in cash, so that no share ever moves for them: on an index, or where their contract says so.
select contract.id as instrument_id
from option_contract as contract
inner join option_gone as gone on contract.id = gone.instrument_id
where contract.settlement like 'CASH%'
union
select executions.instrument_id
from raw.executions
inner join core.run on executions.run_id = run.run_id
inner join option_gone as gone on executions.instrument_id = gone.instrument_id
where executions.underlying_instrument_type = 'INDEX' and run.trading_date between $from_date - 31 and $to_date
union
select positions.instrument_id
from raw.positions
inner join core.run on positions.run_id = run.run_id
inner join option_gone as gone on positions.instrument_id = gone.instrument_id
where positions.underlying_instrument_type = 'INDEX' and run.trading_date between $from_date - 31 and $to_date
