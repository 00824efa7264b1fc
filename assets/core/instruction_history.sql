-- Every state of every position instruction that the broker's list has shown: valid by the broker's own times, observed by ours. Absence from
-- the list is a fact of its own (absent_since) and never a cancellation: the broker does not say how long it lists what is finished.
with observed as (
    select
        instruction.account_id,
        instruction.id,
        instruction.client_instruction_id,
        instruction.instrument_id,
        instruction.symbol,
        instruction.instruction_type,
        instruction.status,
        instruction.quantity,
        instruction.accepted_quantity,
        instruction.rejection_reason,
        instruction.created_at,
        instruction.updated_at,
        min(run.finished_at) as first_observed_at,
        max(run.finished_at) as last_observed_at
    from raw.position_instructions as instruction
    inner join core.run on instruction.run_id = run.run_id
    group by all
),

lists as (
    select
        manifest.account_id,
        run.finished_at
    from raw.extract_manifest as manifest
    inner join core.run on manifest.run_id = run.run_id
    where manifest.endpoint = 'position_instructions' and manifest.complete
),

stated as (
    select
        observed.account_id,
        observed.id,
        observed.client_instruction_id,
        observed.instrument_id,
        observed.symbol,
        observed.instruction_type,
        observed.status,
        observed.quantity,
        observed.accepted_quantity,
        observed.rejection_reason,
        observed.created_at,
        observed.updated_at,
        observed.first_observed_at,
        observed.last_observed_at,
        coalesce(observed.updated_at, observed.created_at, observed.first_observed_at) as valid_from,
        max(observed.last_observed_at) over (partition by observed.account_id, observed.id) as last_listed_at
    from observed
),

followed as (
    select
        account_id,
        id,
        client_instruction_id,
        instrument_id,
        symbol,
        instruction_type,
        status,
        quantity,
        accepted_quantity,
        rejection_reason,
        created_at,
        updated_at,
        first_observed_at,
        last_observed_at,
        valid_from,
        last_listed_at,
        lead(valid_from) over states as valid_to,
        row_number() over states = count(*) over (partition by account_id, id) as is_current
    from stated
    window states as (partition by account_id, id order by valid_from, first_observed_at)
)

select
    followed.id,
    followed.account_id,
    followed.client_instruction_id,
    followed.instrument_id,
    followed.symbol,
    followed.instruction_type,
    followed.status,
    followed.quantity,
    followed.accepted_quantity,
    followed.rejection_reason,
    followed.created_at,
    followed.updated_at,
    followed.valid_from,
    followed.valid_to,
    followed.is_current,
    followed.first_observed_at,
    followed.last_observed_at,
    case
        when followed.is_current
            then (
                select min(lists.finished_at) from lists
                where lists.account_id = followed.account_id and lists.finished_at > followed.last_listed_at
            )
    end as absent_since
from followed
