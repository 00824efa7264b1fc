-- Which of the contracts that are gone delivered their underlying: first those that an accepted instruction accounts for
-- (`instructed_contracts`), then what the stock's own move says of the others (`rest`): all of them, those in the money, or just one.
with moves as (
    select
        account_id,
        trading_date,
        instrument_id,
        underlying_instrument_id,
        stock_move,
        coalesce(in_the_money, false) and lapse_id is null as would_deliver,
        expired and (executions_loaded or untradable_since) as surely_expired,
        least(exercise_quantity, contracts) * case when contracts > 0 then 1 else 0 end as instructed_contracts,
        contracts - instructed_contracts as rest,
        try_cast(direction * instructed_contracts * multiplier as decimal(24, 8)) as instructed_move,
        -- a long option that is gone before its expiry may have been sold, where nobody knows the fills
        try_cast(
            case when contracts < 0 or expired or executions_loaded then direction else 0 end
            * rest * multiplier as decimal(24, 8)
        ) as rest_move
    from option_evidence
),

weighed as (
    select
        account_id,
        trading_date,
        instrument_id,
        underlying_instrument_id,
        would_deliver,
        surely_expired,
        instructed_contracts,
        rest,
        rest_move,
        stock_move - sum(instructed_move) over same_stock as unexplained_move,
        sum(rest_move) over same_stock as all_moves,
        sum(case when would_deliver then rest_move else 0 end) over same_stock as money_moves,
        sum(case when would_deliver and surely_expired then rest_move else 0 end) over same_stock as settled_moves
    from moves
    window same_stock as (partition by account_id, trading_date, underlying_instrument_id)
),

matched as (
    select
        account_id,
        trading_date,
        instrument_id,
        would_deliver,
        surely_expired,
        instructed_contracts,
        rest,
        rest_move,
        unexplained_move,
        all_moves,
        money_moves,
        settled_moves,
        sum(case when rest <> 0 and rest_move = unexplained_move then 1 else 0 end)
            over (partition by account_id, trading_date, underlying_instrument_id) as single_matches
    from weighed
)

select
    account_id,
    trading_date,
    instrument_id,
    instructed_contracts,
    rest,
    surely_expired,
    case
        when rest = 0 or rest_move = 0 then false
        -- a spread in the money on both legs delivers to itself: no share of it stays
        when unexplained_move = 0 then settled_moves = 0 and surely_expired and would_deliver
        when money_moves = unexplained_move then would_deliver
        when single_matches = 1 then rest_move = unexplained_move
        when all_moves = unexplained_move then true
        else false
    end as rest_delivered,
    coalesce(
        unexplained_move = 0 or money_moves = unexplained_move or single_matches = 1
        or all_moves = unexplained_move, false
    ) as stock_explained
from matched
