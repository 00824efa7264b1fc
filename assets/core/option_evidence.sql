-- What is known of each option that is gone: what was asked for it, how the account's position in its underlying moved without a trade (`linked_to`
-- names what the shares would come from; what settles in cash stands alone), and whether it was in the money.
select
    gone.account_id,
    gone.trading_date,
    gone.instrument_id,
    gone.underlying_instrument_id,
    gone.contracts,
    gone.multiplier,
    gone.executions_loaded,
    gone.expired,
    gone.surely_expired,
    gone.settled_in_cash,
    cash_settled.instrument_id is not null as is_cash_settled,
    case
        when cash_settled.instrument_id is not null or gone.settled_in_cash then gone.instrument_id
        else coalesce(gone.underlying_instrument_id, gone.instrument_id)
    end as linked_to,
    case when linked_to = gone.underlying_instrument_id then coalesce(stock.unexplained, 0) else 0 end as stock_move,
    exercise.instruction_id as exercise_id,
    exercise.known_at as exercise_known_at,
    least(coalesce(exercise.accepted_quantity, 0), abs(gone.contracts)) as exercise_quantity,
    lapse.instruction_id as lapse_id,
    lapse.known_at as lapse_known_at,
    least(coalesce(lapse.accepted_quantity, 0), abs(gone.contracts) - exercise_quantity) as lapse_quantity,
    moneyness.direction,
    moneyness.in_the_money,
    moneyness.is_proven,
    moneyness.far_out
from option_gone as gone
inner join option_moneyness as moneyness
    on
        gone.account_id = moneyness.account_id
        and gone.trading_date = moneyness.trading_date
        and gone.instrument_id = moneyness.instrument_id
left join cash_settled on gone.instrument_id = cash_settled.instrument_id
left join option_instructed as exercise
    on
        gone.account_id = exercise.account_id
        and gone.trading_date = exercise.trading_date
        and gone.instrument_id = exercise.instrument_id
        and exercise.instruction_type = 'EXERCISE'
        and gone.contracts > 0
left join option_instructed as lapse
    on
        gone.account_id = lapse.account_id
        and gone.trading_date = lapse.trading_date
        and gone.instrument_id = lapse.instrument_id
        and lapse.instruction_type = 'DO_NOT_EXERCISE'
        and gone.contracts > 0
left join stock_change as stock
    on
        gone.account_id = stock.account_id
        and gone.trading_date = stock.trading_date
        and gone.underlying_instrument_id = stock.instrument_id
