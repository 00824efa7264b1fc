-- What the adjustments of an account's day come to for each instrument: quantity, cash, value and cost that they moved.
select
    account_id,
    trading_date,
    instrument_id,
    cast(sum(coalesce(quantity, 0)) as decimal(24, 8)) as quantity,
    cast(sum(coalesce(cash, 0)) as decimal(28, 10)) as cash,
    cast(sum(coalesce(value, 0)) as decimal(28, 10)) as value,
    -- a cost that is unknown on one leg is unknown in the sum
    cast(case when bool_and(cost_basis is not null) then sum(cost_basis) end as decimal(28, 10)) as cost_basis,
    cast(sum(case when kind = 'TRANSFER' then coalesce(value, 0) else 0 end) as decimal(28, 10)) as transferred_value,
    bool_or(kind = 'CASH_IN_LIEU' and quantity is null) as pays_a_fraction,
    bool_or(kind = 'CASH_SETTLEMENT' and quantity is null) as settled_in_cash,
    max(kind) as kind
from adjustment_leg
group by account_id, trading_date, instrument_id
