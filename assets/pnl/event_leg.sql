-- What an option's event moves, leg by leg: the contracts that went, and the underlying that moved for strike cash.
with events as (
    select
        account_id,
        trading_date,
        instrument_id,
        underlying_instrument_id,
        kind,
        instruction_id,
        confidence,
        quantity_moved,
        underlying_quantity_moved,
        cash,
        value_moved,
        basis_moved,
        evidence_known_at
    from core.lifecycle_event
    where trading_date between $from_date and $to_date and kind in ('EXERCISE', 'ASSIGNMENT', 'EXPIRY')
)

select
    account_id,
    trading_date,
    instrument_id,
    quantity_moved,
    cast(0 as decimal(28, 10)) as cash,
    -value_moved as value_moved,
    -basis_moved as basis_moved,
    case
        when confidence = 'MANUAL' then null
        when kind = 'EXPIRY' and instruction_id is not null then 'LAPSED_BY_INSTRUCTION'
        when kind = 'EXPIRY' then 'EXPIRED_WORTHLESS'
        when kind = 'ASSIGNMENT' then 'ASSIGNED_INFERRED'
        else 'EXERCISED'
    end as flag,
    kind,
    evidence_known_at
from events
union all
select
    account_id,
    trading_date,
    underlying_instrument_id as instrument_id,
    underlying_quantity_moved as quantity_moved,
    cash,
    value_moved,
    basis_moved,
    case kind when 'ASSIGNMENT' then 'FROM_ASSIGNMENT' else 'FROM_EXERCISE' end as flag,
    kind,
    evidence_known_at
from events
where kind <> 'EXPIRY'
