-- How many contracts of each option that is gone may have delivered their underlying: as the closing price and the instructions say
-- (`expected_*`), and at all (`possible_*`), with the shares that one contract moves, in +, out -: once as far as prices are proven (`by_proof`), and
-- once by all that tells of them.
with tellings as (
    select true as by_proof
    union all
    select false as by_proof
),

told as (
    select
        account_id,
        trading_date,
        instrument_id,
        linked_to,
        by_proof,
        stock_move,
        case when is_proven or not by_proof then in_the_money end as in_the_money,
        expired,
        executions_loaded,
        far_out,
        contracts > 0 as is_long,
        abs(contracts) as contracts,
        exercise_quantity,
        lapse_quantity,
        try_cast(sign(contracts) * direction * multiplier as decimal(24, 8)) as shares
    from option_evidence
    cross join tellings
    where not is_cash_settled and not settled_in_cash
)

select
    account_id,
    trading_date,
    instrument_id,
    linked_to,
    by_proof,
    stock_move,
    in_the_money,
    expired,
    contracts,
    lapse_quantity,
    shares,
    case
        when expired and in_the_money then contracts - lapse_quantity
        else exercise_quantity
    end as expected_low,
    case
        when expired and not in_the_money or far_out then exercise_quantity
        -- a long option that is gone before its expiry may have been sold, where nobody knows the fills
        when is_long and not expired and not executions_loaded then exercise_quantity
        else contracts - lapse_quantity
    end as expected_high,
    0 as possible_low,
    case
        when far_out or (is_long and not expired and not executions_loaded) then exercise_quantity
        else contracts - lapse_quantity
    end as possible_high
from told
