-- Positions of which nobody can tell what an expiry did to them: options whose contracts were worth something or nothing, and their underlying,
-- where shares may have come and gone for strike cash.
with told as (
    select
        account_id,
        trading_date,
        instrument_id,
        sum(abs(contracts)) as contracts
    from option_outcome
    group by account_id, trading_date, instrument_id
)

select
    evidence.account_id,
    evidence.trading_date,
    evidence.instrument_id,
    cast(abs(evidence.contracts) - coalesce(told.contracts, 0) as decimal(24, 8)) as contracts
from option_evidence as evidence
left join told
    on
        evidence.account_id = told.account_id
        and evidence.trading_date = told.trading_date
        and evidence.instrument_id = told.instrument_id
where evidence.expired and abs(evidence.contracts) > coalesce(told.contracts, 0)
union all
select distinct
    account_id,
    trading_date,
    linked_to as instrument_id,
    cast(null as decimal(24, 8)) as contracts
from option_delivered
where stock_is_open and linked_to <> instrument_id
