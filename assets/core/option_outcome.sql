-- What became of contracts that are gone: exercised, assigned or expired, and how that is known. What can't be told has no row.
with judged as (
    select
        evidence.account_id,
        evidence.trading_date,
        evidence.instrument_id,
        evidence.exercise_id,
        evidence.exercise_known_at,
        evidence.lapse_id,
        evidence.lapse_known_at,
        evidence.settled_in_cash,
        sign(evidence.contracts) as side,
        -- least() passes over what is not known
        case when option_delivered.delivered is not null then least(evidence.exercise_quantity, option_delivered.delivered) end
            as exercised,
        option_delivered.delivered - exercised as inferred,
        case
            when evidence.settled_in_cash or not evidence.surely_expired then 0
            -- whatever the stock did: nobody delivers it for what was told to lapse, or for what closed far out of the money
            else least(evidence.lapse_quantity, abs(evidence.contracts) - coalesce(option_delivered.delivered, 0))
        end as lapsed,
        case
            when evidence.settled_in_cash then abs(evidence.contracts)
            when not evidence.surely_expired or evidence.is_cash_settled then 0
            when option_delivered.delivered is not null then abs(evidence.contracts) - option_delivered.delivered - lapsed
            -- nobody exercises what is far out of the money, but who asked for it
            when evidence.far_out then abs(evidence.contracts) - lapsed - evidence.exercise_quantity
            else 0
        end as expired
    from option_evidence as evidence
    left join option_delivered
        on
            evidence.account_id = option_delivered.account_id
            and evidence.trading_date = option_delivered.trading_date
            and evidence.instrument_id = option_delivered.instrument_id
)

select
    account_id,
    trading_date,
    instrument_id,
    'EXERCISE' as kind,
    side * exercised as contracts,
    exercise_id as instruction_id,
    'INSTRUCTED' as confidence,
    'accepted instruction' as evidence,
    exercise_known_at as evidence_known_at
from judged
where exercised > 0
union all
select
    account_id,
    trading_date,
    instrument_id,
    case when side > 0 then 'EXERCISE' else 'ASSIGNMENT' end as kind,
    side * inferred as contracts,
    null as instruction_id,
    'INFERRED' as confidence,
    'the underlying moved by contracts x multiplier' as evidence,
    null as evidence_known_at
from judged
where inferred > 0
union all
select
    account_id,
    trading_date,
    instrument_id,
    'EXPIRY' as kind,
    side * lapsed as contracts,
    lapse_id as instruction_id,
    'INSTRUCTED' as confidence,
    'accepted instruction' as evidence,
    lapse_known_at as evidence_known_at
from judged
where lapsed > 0
union all
select
    account_id,
    trading_date,
    instrument_id,
    'EXPIRY' as kind,
    side * expired as contracts,
    null as instruction_id,
    case when settled_in_cash then 'MANUAL' else 'INFERRED' end as confidence,
    case
        when settled_in_cash then 'the cash that adjustments.csv says'
        else 'expired, and the underlying did not move for it'
    end as evidence,
    null as evidence_known_at
from judged
where expired > 0
