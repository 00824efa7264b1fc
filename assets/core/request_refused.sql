-- Why the broker refused a row of a request, in its words, by the row's key, else by its instrument.
select
    run_id,
    coalesce(value, instrument_id) as refused_key,
    max(message) as reason
from request_finding
where check_name = 'trade_rejected'
group by run_id, coalesce(value, instrument_id)
