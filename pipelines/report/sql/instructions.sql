-- Exercise instructions that are under way, and those whose state changed since the report before.
select
    instruction_type,
    symbol,
    account_id,
    status,
    quantity,
    accepted_quantity,
    rejection_reason,
    created_at,
    valid_from as changed_at,
    first_observed_at as seen_at,
    id
from core.instruction_history
where
    is_current
    and (
        (absent_since is null and status not in ('ACCEPTED', 'REJECTED', 'ENGINE_REJECTED', 'CANCELLED'))
        or first_observed_at > coalesce($since, timestamptz '0001-01-01 00:00:00+00')
    )
order by changed_at desc, account_id, symbol, id
