-- How many contracts of each option that is gone may have delivered their underlying: as the closing price and the instructions say
-- (`expected_*`), and at all (`possible_*`), with the shares that one contract moves, in +, out -.
select
    account_id,
    trading_date,
    instrument_id,
    linked_to,
    stock_move,
    in_the_money,
    expired,
    surely_expired,
    abs(contracts) as contracts,
    lapse_quantity,
    try_cast(sign(contracts) * direction * multiplier as decimal(24, 8)) as shares,
    case
        when expired and in_the_money then abs(contracts) - lapse_quantity
        else exercise_quantity
    end as expected_low,
    case
        when expired and not in_the_money or far_out then exercise_quantity
        -- a long option that is gone before its expiry may have been sold, where nobody knows the fills
        when contracts > 0 and not expired and not executions_loaded then exercise_quantity
        else abs(contracts) - lapse_quantity
    end as expected_high,
    0 as possible_low,
    case
        when far_out or (contracts > 0 and not expired and not executions_loaded) then exercise_quantity
        else abs(contracts) - lapse_quantity
    end as possible_high
from option_evidence
where not is_cash_settled and not settled_in_cash
