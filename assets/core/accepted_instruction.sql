-- Position instructions of the last three weeks that the broker has accepted for some contracts, each in its latest form.
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
        min(run.finished_at) as known_at
    from raw.position_instructions as instruction
    inner join core.run on instruction.run_id = run.run_id
    where run.trading_date >= $from_date - 21
    group by all
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
from observed
where status = 'ACCEPTED' and accepted_quantity > 0
qualify row_number() over (partition by account_id, id order by known_at desc) = 1
