-- What became of contracts that are gone: exercised, assigned or expired, and how that is known. What can't be told apart has no row.
with judged as (
    select
        evidence.account_id,
        evidence.trading_date,
        evidence.instrument_id,
        evidence.contracts,
        evidence.exercise_id,
        evidence.exercise_known_at,
        evidence.lapse_id,
        evidence.lapse_known_at,
        evidence.in_the_money,
        evidence.untradable_since,
        delivery.instructed_contracts,
        delivery.rest,
        delivery.surely_expired,
        delivery.rest_delivered,
        delivery.stock_explained
    from option_evidence as evidence
    inner join delivery
        on
            evidence.account_id = delivery.account_id
            and evidence.trading_date = delivery.trading_date
            and evidence.instrument_id = delivery.instrument_id
)

select
    account_id,
    trading_date,
    instrument_id,
    'EXERCISE' as kind,
    instructed_contracts as contracts,
    exercise_id as instruction_id,
    'INSTRUCTED' as confidence,
    'accepted instruction' as evidence,
    exercise_known_at as evidence_known_at
from judged
where instructed_contracts > 0
union all
select
    account_id,
    trading_date,
    instrument_id,
    case when contracts > 0 then 'EXERCISE' else 'ASSIGNMENT' end as kind,
    rest as contracts,
    null as instruction_id,
    'INFERRED' as confidence,
    'the underlying moved by contracts x multiplier' as evidence,
    null as evidence_known_at
from judged
where rest <> 0 and rest_delivered
union all
select
    account_id,
    trading_date,
    instrument_id,
    'EXPIRY' as kind,
    rest as contracts,
    lapse_id as instruction_id,
    case when lapse_id is null then 'INFERRED' else 'INSTRUCTED' end as confidence,
    case when lapse_id is null then 'expired, and the underlying did not move' else 'accepted instruction' end
        as evidence,
    lapse_known_at as evidence_known_at
from judged
where
    rest <> 0 and not rest_delivered and surely_expired
    -- the stock may have moved for reasons of its own, but nobody delivers it for what closed out of the money
    and (stock_explained or (untradable_since and not in_the_money))
