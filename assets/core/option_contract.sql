-- What the broker said last of each option contract.
select
    id,
    underlying_instrument_id,
    contract_type,
    strike_price,
    expiry,
    multiplier,
    upper(json_text(extra, '$.settlement')) as settlement
from raw.option_contracts
qualify row_number() over (partition by id order by run_id desc) = 1
