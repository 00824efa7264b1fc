-- Days on which a position instruction counts that a new run saw first, or in another state than any run before it.
select distinct account_eod.trading_date
from (
    select account_id, id, status, accepted_quantity, created_at, updated_at
    from raw.position_instructions where run_id in (select run_id from new_run)
    except
    select account_id, id, status, accepted_quantity, created_at, updated_at
    from raw.position_instructions where run_id not in (select run_id from new_run)
) as instruction
inner join core.account_eod
    on
        instruction.account_id = account_eod.account_id
        and account_eod.captured_at >= coalesce(instruction.created_at, instruction.updated_at)
        -- one counts for five sessions
        and account_eod.captured_at <= coalesce(instruction.created_at, instruction.updated_at) + interval 21 day
