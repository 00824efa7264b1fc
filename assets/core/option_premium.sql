-- What the contracts of an option that is gone were worth at the start of the day and had cost, as a share of so many contracts: yesterday's and
-- those that came since; yesterday's alone where some were sold; what was traded alone where the position reversed.
select
    account_id,
    trading_date,
    instrument_id,
    quantity,
    quantity_prev,
    traded_quantity,
    cost_basis_prev - cost_basis as basis_fallen,
    case
        when sign(quantity_before) <> sign(quantity_prev) and quantity_prev <> 0 then 'TURNED'
        when abs(quantity_before) > abs(quantity_prev) then 'GROWN'
        else 'KEPT'
    end as how,
    value_of(1, bought_per_share - sold_per_share, multiplier) as paid,
    case how
        when 'TURNED' then case when quantity_before > 0 then bought_quantity else -sold_quantity end
        when 'GROWN' then quantity_before
        else quantity_prev
    end as contracts,
    case how
        when 'TURNED'
            then case
                when quantity_before > 0 then value_of(1, bought_per_share, multiplier)
                else -value_of(1, sold_per_share, multiplier)
            end
        when 'GROWN' then market_value_prev + paid + adjusted_value
        else market_value_prev
    end as value,
    case how
        when 'TURNED' then value
        when 'GROWN' then cost_basis_prev + paid + adjusted_cost_basis
        else cost_basis_prev
    end as cost
from option_gone
