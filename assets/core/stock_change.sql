-- How positions in what is no option changed: the shares that nothing explains, quantity and cost, and the price of the day.
select
    account_id,
    trading_date,
    instrument_id,
    unexplained,
    cost_basis,
    cost_basis_prev,
    quantity,
    quantity_prev,
    fills,
    adjusted_quantity,
    coalesce(eod_price, sod_price) as price
from position_change
where instrument_type is distinct from 'OPTION' and trading_date between $from_date and $to_date
