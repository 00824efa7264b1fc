-- Every fill once, in its latest form, on the trading date of its instant; one that the broker withdrew (a later whole list that covers its time lacks
-- it) is kept and marked. A multileg fill has no instrument of its own, and may have no price. The notional is price times quantity times multiplier:
-- the multiplier of the day's position, else the contract's, and 1 of what is called like a share.
select
    observed.account_id,
    observed.id,
    observed.order_id,
    observed.instrument_id,
    observed.symbol,
    observed.underlying_instrument_id,
    observed.side,
    observed.filled_quantity as quantity,
    observed.price,
    coalesce(
        position.multiplier,
        contract.multiplier,
        case
            when observed.underlying_instrument_id is null and is_called_like_a_share(observed.symbol)
                then cast(1 as decimal(12, 4))
        end
    ) as multiplier,
    value_of(observed.filled_quantity, observed.price, coalesce(
        position.multiplier,
        contract.multiplier,
        case
            when observed.underlying_instrument_id is null and is_called_like_a_share(observed.symbol)
                then cast(1 as decimal(12, 4))
        end
    )) as notional,
    observed.transaction_time,
    observed.trading_date,
    observed.first_observed_at as first_seen_at,
    observed.last_observed_at as last_seen_at,
    observed.withdrawn_at
from fill_observed as observed
left join pnl.position_daily as position
    on
        observed.account_id = position.account_id
        and observed.instrument_id = position.instrument_id
        and observed.trading_date = position.trading_date
        and position.trading_date between $from_date and $to_date
left join contract_term as contract
    on
        observed.instrument_id = contract.id
        and observed.trading_date >= contract.valid_from and observed.trading_date < contract.valid_to
where observed.trading_date between $from_date and $to_date
