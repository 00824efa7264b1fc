-- Days that an instruction speaks for which a new run tells first, or otherwise than before: it counts for five sessions from when it was accepted.
with instructions as (
    select
        instruction.account_id,
        instruction.id,
        instruction.run_id in (select run_id from new_run) as is_new,
        coalesce(instruction.updated_at, instruction.created_at) as since,
        (
            instruction.instrument_id, instruction.instruction_type, instruction.status, instruction.accepted_quantity,
            instruction.updated_at, instruction.client_instruction_id
        ) as state
    from raw.position_instructions as instruction
    inner join (
        select run_id, finished_at from core.run
        union all
        select run_id, finished_at from new_run
    ) as runs on instruction.run_id = runs.run_id
    where instruction.id in (select id from raw.position_instructions where run_id in (select run_id from new_run))
    qualify row_number() over (
        partition by instruction.account_id, instruction.id, is_new order by runs.finished_at desc, instruction.updated_at desc
    ) = 1
),

differing as (
    select
        now_said.account_id,
        least(now_said.since, said_before.since) as since,
        greatest(now_said.since, said_before.since) as until
    from instructions as now_said
    left join instructions as said_before
        on now_said.account_id = said_before.account_id and now_said.id = said_before.id and not said_before.is_new
    where now_said.is_new and now_said.state is distinct from said_before.state
)

select distinct account_eod.trading_date
from core.account_eod
inner join differing on account_eod.account_id = differing.account_id
where
    account_eod.trading_date >= cast(differing.since as date) - 1
    and account_eod.trading_date <= cast(differing.until as date) + 21
