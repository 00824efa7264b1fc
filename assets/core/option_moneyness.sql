-- Whether each option that is gone was in the money at the close of its last session (of the day, where it has not expired). Its underlying's
-- official close of that session proves it, or the evening's market snapshot (`is_proven`). What else tells is no proof: what an end of day
-- showed beside no close, the option's own official close, which is then all intrinsic value, or prices before and after on one side of the
-- strike. Far out of the money is only what a proof says, by more than near_the_strike() of it.
with priced as (
    select
        gone.account_id,
        gone.trading_date,
        gone.instrument_id,
        gone.expired,
        gone.option_strike,
        case gone.option_right when 'CALL' then 1 when 'PUT' then -1 end as direction,
        direction * (at_last.price - gone.option_strike) as inside,
        at_last.is_official,
        at_last.is_proof,
        case when splits.instrument_id is null then direction * (before.price - gone.option_strike) end as inside_before,
        case when splits.instrument_id is null then direction * (after.price - gone.option_strike) end as inside_after,
        coalesce(before.is_proof and after.is_proof, false) as both_proven,
        case when gone.prev_trading_date = gone.last_session and gone.sod_price_grade = 'OFFICIAL' then gone.sod_price end
            as own_close
    from option_gone as gone
    left join underlying_price as at_last
        on
            gone.underlying_instrument_id = at_last.instrument_id
            and at_last.trading_date = case when gone.expired then gone.last_session else gone.trading_date end
            -- no further back than underlying_price
            and at_last.trading_date >= gone.prev_trading_date - 14
    left join underlying_price as before
        on gone.underlying_instrument_id = before.instrument_id and gone.prev_trading_date = before.trading_date
    left join underlying_price as after
        on gone.underlying_instrument_id = after.instrument_id and gone.trading_date = after.trading_date
    left join split_between as splits
        on
            gone.account_id = splits.account_id
            and gone.trading_date = splits.trading_date
            and gone.underlying_instrument_id = splits.instrument_id
)

select
    account_id,
    trading_date,
    instrument_id,
    direction,
    case
        -- a last trade is no close: so near the strike it may have been on the other side of it
        when is_official or abs(inside) > 0.001 * option_strike then inside > 0
        when own_close <= 0.05 then false
        when own_close >= near_the_strike(option_strike) then true
        when inside is null and expired and inside_before > 0 and inside_after > 0 then true
        when inside is null and expired and inside_before <= 0 and inside_after <= 0 then false
    end as in_the_money,
    coalesce(is_official or (is_proof and abs(inside) > 0.001 * option_strike), false) as is_proven,
    coalesce(
        case
            when expired then is_proof and inside < -near_the_strike(option_strike)
            -- before its expiry it is the evening before that a holder decides on
            else
                both_proven
                and inside_before < -near_the_strike(option_strike) and inside_after < -near_the_strike(option_strike)
        end, false
    ) as far_out
from priced
