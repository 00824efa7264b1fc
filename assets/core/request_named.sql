-- The orders and instructions that belong to a request: those that its answer named, and those found in a later list.
select requests.run_id, requests.account_id, orders.id
from request_sent as requests
inner join raw.orders on requests.run_id = orders.run_id
union
select requests.run_id, requests.account_id, instructions.id
from request_sent as requests
inner join raw.position_instructions as instructions on requests.run_id = instructions.run_id
union
select noticed.run_id, noticed.account_id, noticed.item ->> 'value' as id
from (
    select run_id, account_id, unnest(cast(findings as json[])) as item from request_sent where findings is not null
) as noticed
where (noticed.item ->> 'check_name') = 'trade_found'
