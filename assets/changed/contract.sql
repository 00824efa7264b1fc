-- Days on which an option was held or traded whose contract a new run tells first, or otherwise than before.
with contracts as (
    select
        id,
        run_id in (select run_id from new_run) as is_new,
        (underlying_instrument_id, contract_type, strike_price, expiry, multiplier) as terms
    from raw.option_contracts
    where id in (select id from raw.option_contracts where run_id in (select run_id from new_run))
    qualify row_number() over (partition by id, is_new order by run_id desc) = 1
),

differing as (
    select now_said.id
    from contracts as now_said
    left join contracts as said_before on now_said.id = said_before.id and not said_before.is_new
    where now_said.is_new and now_said.terms is distinct from said_before.terms
)

select trading_date
from core.position_eod
semi join differing on position_eod.instrument_id = differing.id
union
select trading_date
from core.trade_flow
semi join differing on trade_flow.instrument_id = differing.id
