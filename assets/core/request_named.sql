-- The orders and instructions that belong to a request: those that its answer named, and those found in a later list.
select requests.run_id, requests.account_id, orders.id
from request_sent as requests
inner join raw.orders on requests.run_id = orders.run_id
union
select requests.run_id, requests.account_id, instructions.id
from request_sent as requests
inner join raw.position_instructions as instructions on requests.run_id = instructions.run_id
union
select requests.run_id, requests.account_id, item.value ->> 'value' as id
from request_sent as requests
cross join json_each(requests.findings) as item
where requests.findings is not null and (item.value ->> 'check_name') = 'trade_found'
