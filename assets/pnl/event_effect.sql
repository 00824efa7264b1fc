-- What the options' events of a day come to for each instrument of an account: quantity, cash, value and cost that they moved.
select
    account_id,
    trading_date,
    instrument_id,
    try_cast(sum(quantity_moved) as decimal(24, 8)) as quantity,
    try_cast(sum(cash) as decimal(28, 10)) as cash,
    try_cast(sum(value_moved) as decimal(28, 10)) as value_moved,
    -- a cost that is unknown on one leg is unknown in the sum
    try_cast(case when bool_and(basis_moved is not null) then sum(basis_moved) end as decimal(28, 10)) as basis_moved,
    joined(array_agg(distinct flag) filter (where flag is not null)) as flags,
    bool_and(kind = 'EXPIRY') as only_expiry,
    -- shares came for one strike and went for another
    bool_or(quantity_moved > 0) and bool_or(quantity_moved < 0) as came_and_went,
    max(evidence_known_at) as known_at
from event_leg
group by account_id, trading_date, instrument_id
