-- What is known of each option that is gone: what was asked for it, how the account's position in its underlying moved without a trade, and
-- whether it was in the money.
select
    gone.account_id,
    gone.trading_date,
    gone.instrument_id,
    gone.symbol,
    gone.underlying_instrument_id,
    gone.option_expiry,
    gone.option_strike,
    gone.multiplier,
    gone.quantity,
    gone.quantity_prev,
    gone.traded_quantity,
    gone.market_value_prev,
    gone.cost_basis_prev,
    gone.cost_basis,
    gone.executions_loaded,
    gone.contracts,
    gone.expired,
    gone.untradable_since,
    exercise.instruction_id as exercise_id,
    exercise.known_at as exercise_known_at,
    coalesce(exercise.accepted_quantity, 0) as exercise_quantity,
    lapse.instruction_id as lapse_id,
    lapse.known_at as lapse_known_at,
    coalesce(stock.unexplained, 0) as stock_move,
    case gone.option_right when 'CALL' then 1 when 'PUT' then -1 end as direction,
    case gone.option_right
        when 'CALL' then coalesce(at_expiry.price, at_last.price, stock.price) > gone.option_strike
        when 'PUT' then coalesce(at_expiry.price, at_last.price, stock.price) < gone.option_strike
    end as in_the_money
from option_gone as gone
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
left join underlying_price as at_expiry
    on
        gone.underlying_instrument_id = at_expiry.instrument_id
        and at_expiry.trading_date
        = case
            when gone.expired then least(greatest(gone.prev_trading_date, gone.option_expiry), gone.trading_date)
            else gone.trading_date
        end
left join underlying_price as at_last
    on
        gone.underlying_instrument_id = at_last.instrument_id
        and at_last.trading_date = gone.prev_trading_date and gone.expired
