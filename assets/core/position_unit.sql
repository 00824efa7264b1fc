-- An option's terms on the day, and the unit of a position's price: the multiplier, in which a fill is paid too. It is the contract's, and 1 of what
-- is no option, unless value or cost say otherwise (a contract was adjusted, prices are in per cent of face value); null (UNKNOWN) where they
-- contradict it and each other.
with measured as (
    select
        held.account_id,
        held.instrument_id,
        held.trading_date,
        held.instrument_type,
        term.underlying_instrument_id,
        term.expiry,
        term.strike_price,
        term.contract_type,
        -- only where the contract itself doesn't tell them all
        case
            when term.expiry is null or term.strike_price is null or term.contract_type is null
                then osi_terms(held.symbol)
        end as terms,
        case when held.instrument_type = 'OPTION' then term.multiplier else cast(1 as decimal(12, 4)) end as stated,
        abs(cast(held.quantity as double)) as shares,
        abs(cast(held.reported_value as double)) as value,
        abs(cast(held.reported_cost_basis as double)) as cost,
        cast(held.avg_price as double) as average,
        cast(held.closing_price as double) as close,
        cast(held.instrument_price as double) as current,
        held.closing_price_date = held.trading_date as close_is_fresh
    from position_held as held
    left join contract_term as term
        on
            held.instrument_id = term.id
            and held.trading_date >= term.valid_from and held.trading_date < term.valid_to
),

compared as (
    select
        account_id,
        instrument_id,
        trading_date,
        instrument_type,
        underlying_instrument_id,
        expiry,
        strike_price,
        contract_type,
        terms,
        stated,
        cost / nullif(shares * average, 0) as by_cost,
        -- a close of an earlier day says nothing of what a value means
        case
            when close_is_fresh then value / nullif(shares * close, 0)
            else value / nullif(shares * current, 0)
        end as by_value,
        -- the average is rounded by the broker: half a unit of its last digit, times what is held
        coalesce(abs(cost - shares * average * stated) <= greatest(cent(), 0.005 * shares * stated), false)
        or coalesce(abs(value - shares * close * stated) <= cent(), false)
        or coalesce(abs(value - shares * current * stated) <= cent(), false) as fits
    from measured
),

decided as (
    select
        account_id,
        instrument_id,
        trading_date,
        instrument_type,
        underlying_instrument_id,
        expiry,
        strike_price,
        contract_type,
        terms,
        stated,
        by_cost,
        by_value,
        case
            when fits or instrument_type = 'CASH' or (by_cost is null and by_value is null) then stated
            -- both say the same
            when abs(by_value - by_cost) <= 0.005 * by_cost then unit_near(by_value)
            when by_value is not null and by_cost is not null and not is_same_unit(by_value, coalesce(stated, by_cost))
                then null
            when stated is null then unit_near(coalesce(by_cost, by_value))
            when is_same_unit(coalesce(by_value, by_cost), stated) then stated
            else unit_near(coalesce(by_value, by_cost))
        end as unit
    from compared
)

select
    account_id,
    instrument_id,
    trading_date,
    underlying_instrument_id,
    coalesce(expiry, osi_expiry(terms)) as option_expiry,
    coalesce(cast(strike_price as decimal(24, 8)), osi_strike(terms)) as option_strike,
    coalesce(contract_type, osi_right(terms)) as option_right,
    case
        when unit is null and by_cost is null and by_value is null then cast(100 as decimal(12, 4))
        else unit
    end as multiplier,
    case
        when unit = stated then case when instrument_type = 'OPTION' then 'CONTRACT' else 'UNIT' end
        when unit is not null then 'IMPLIED'
        when by_cost is null and by_value is null then 'ASSUMED'
        else 'UNKNOWN'
    end as multiplier_source
from decided
