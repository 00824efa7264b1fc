-- What was asked of the broker about options, and what became of it?
-- One row per instruction in its present state. absent_since means that the broker stopped listing it, which is not a cancellation. moved is what the books saw
-- happen to the contract because of it; null: nothing.
select
    instruction.account_id,
    instruction.symbol,
    instruction.instruction_type,
    instruction.quantity as asked,
    instruction.status,
    instruction.accepted_quantity as accepted,
    instruction.rejection_reason,
    instruction.created_at,
    event.trading_date as happened_on,
    event.kind,
    event.contracts as moved,
    instruction.absent_since
from core.instruction_history as instruction
left join core.lifecycle_event as event
    on instruction.account_id = event.account_id and instruction.client_instruction_id = event.instruction_id
where instruction.is_current
order by instruction.created_at, instruction.id
