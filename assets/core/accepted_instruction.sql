-- Position instructions of the last three weeks that are in force for some contracts in the latest state that was seen of them: what was accepted
-- and cancelled later asks for nothing.
with observed as (
    select
        instruction.account_id,
        instruction.id,
        instruction.instrument_id,
        instruction.instruction_type,
        instruction.status,
        instruction.accepted_quantity,
        instruction.updated_at,
        instruction.client_instruction_id,
        min(run.finished_at) as known_at,
        max(run.finished_at) as last_observed_at
    from raw.position_instructions as instruction
    inner join core.run on instruction.run_id = run.run_id
    where run.trading_date >= $from_date - 21
    group by all
),

latest as (
    select
        account_id,
        id,
        instrument_id,
        instruction_type,
        status,
        accepted_quantity,
        updated_at,
        client_instruction_id,
        known_at
    from observed
    qualify row_number() over (partition by account_id, id order by last_observed_at desc, updated_at desc) = 1
)

select
    account_id,
    id,
    instrument_id,
    instruction_type,
    accepted_quantity,
    updated_at,
    client_instruction_id,
    known_at
from latest
-- one that is to be cancelled, or could not be, stands until it is cancelled
where status in ('ACCEPTED', 'CANCEL_REQUESTED', 'CANCEL_FAILED') and accepted_quantity > 0
