-- An option contract's terms and the trading days on which they held: what the broker said first holds for the days before it too, and each
-- later word (an adjusted contract keeps its id) from the day on which a run read it.
with said as (
    select
        contract.id,
        run.trading_date,
        contract.underlying_instrument_id,
        contract.contract_type,
        contract.strike_price,
        contract.expiry,
        contract.multiplier
    from raw.option_contracts as contract
    inner join core.run on contract.run_id = run.run_id
    qualify row_number() over (partition by contract.id, run.trading_date order by contract.run_id desc) = 1
)

select
    id,
    case
        when lag(trading_date) over one_contract is null then cast('0001-01-01' as date)
        else trading_date
    end as valid_from,
    coalesce(lead(trading_date) over one_contract, cast('9999-12-31' as date)) as valid_to,
    underlying_instrument_id,
    contract_type,
    strike_price,
    expiry,
    try_cast(multiplier as decimal(12, 4)) as multiplier
from said
window one_contract as (partition by id order by trading_date)
