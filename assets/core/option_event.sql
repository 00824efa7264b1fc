-- Options exercised, assigned and expired, with the value and cost that went with the contracts, the strike's cash, and where the premium
-- went: it rolls into the stock (the statement convention) unless the stock's own reported basis shows the strike alone.
with valued as (
    select
        outcome.account_id,
        outcome.trading_date,
        outcome.instrument_id,
        outcome.kind,
        outcome.contracts,
        outcome.instruction_id,
        outcome.confidence,
        outcome.evidence,
        outcome.evidence_known_at,
        gone.symbol,
        gone.underlying_instrument_id,
        gone.option_expiry,
        gone.option_strike,
        gone.multiplier,
        evidence.direction,
        -- the whole position went without a trade: its value and cost are exact; a part is taken pro rata, to the millionth
        case
            when outcome.contracts = premium.contracts then premium.value
            else in_millionths(
                cast(premium.value as double) * cast(outcome.contracts as double)
                / cast(nullif(premium.contracts, 0) as double)
            )
        end as value_gone,
        case
            when premium.traded_quantity = 0 and outcome.contracts = premium.quantity_prev - premium.quantity
                then premium.basis_fallen
            when outcome.contracts = premium.contracts then premium.cost
            else in_millionths(
                cast(premium.cost as double) * cast(outcome.contracts as double)
                / cast(nullif(premium.contracts, 0) as double)
            )
        end as basis_gone,
        -evidence.direction * value_of(outcome.contracts, gone.option_strike, gone.multiplier) as strike_cash
    from option_outcome as outcome
    inner join option_gone as gone
        on
            outcome.account_id = gone.account_id
            and outcome.trading_date = gone.trading_date
            and outcome.instrument_id = gone.instrument_id
    inner join option_evidence as evidence
        on
            outcome.account_id = evidence.account_id
            and outcome.trading_date = evidence.trading_date
            and outcome.instrument_id = evidence.instrument_id
    inner join option_premium as premium
        on
            outcome.account_id = premium.account_id
            and outcome.trading_date = premium.trading_date
            and outcome.instrument_id = premium.instrument_id
),

summed as (
    select
        account_id,
        trading_date,
        underlying_instrument_id,
        sum(strike_cash) as strike_cash,
        sum(basis_gone) as basis_gone
    from valued
    where kind <> 'EXPIRY'
    group by account_id, trading_date, underlying_instrument_id
),

-- stocks whose cost moved nearer to the strike than to strike and premium; where nobody knows the premium, by the strike to the cent
at_strike as (
    select
        summed.account_id,
        summed.trading_date,
        summed.underlying_instrument_id
    from summed
    inner join stock_change as stock
        on
            summed.account_id = stock.account_id
            and summed.trading_date = stock.trading_date
            and summed.underlying_instrument_id = stock.instrument_id
    where
        stock.fills = 0 and stock.adjusted_quantity = 0
        and stock.quantity <> 0
        and sign(stock.quantity) = sign(stock.quantity - stock.quantity_prev)
        and (stock.quantity_prev = 0 or sign(stock.quantity_prev) = sign(stock.quantity))
        and abs(stock.cost_basis - stock.cost_basis_prev + summed.strike_cash)
        < coalesce(abs(stock.cost_basis - stock.cost_basis_prev + summed.strike_cash - summed.basis_gone), cent())
)

select
    valued.account_id,
    valued.instrument_id,
    valued.trading_date,
    valued.kind,
    least(coalesce(valued.option_expiry, valued.trading_date), valued.trading_date) as event_date,
    valued.symbol,
    valued.underlying_instrument_id,
    cast(abs(valued.contracts) as decimal(24, 8)) as contracts,
    valued.option_strike as strike,
    cast(valued.multiplier as decimal(12, 4)) as multiplier,
    cast(-valued.contracts as decimal(24, 8)) as quantity_moved,
    try_cast(
        case when valued.kind = 'EXPIRY' then 0 else valued.direction * valued.contracts * valued.multiplier end
        as decimal(24, 8)
    ) as underlying_quantity_moved,
    case when valued.kind = 'EXPIRY' then 0 else valued.strike_cash end as cash,
    case
        when valued.kind = 'EXPIRY' then null
        when at_strike.account_id is not null then 'CLOSE_AT_ZERO'
        else 'ROLL'
    end as premium_treatment,
    cast(case when premium_treatment = 'ROLL' then valued.value_gone else 0 end as decimal(28, 10)) as value_moved,
    cast(case when premium_treatment = 'ROLL' then valued.basis_gone else 0 end as decimal(28, 10)) as basis_moved,
    valued.instruction_id,
    valued.confidence,
    valued.evidence,
    valued.evidence_known_at
from valued
left join at_strike
    on
        valued.account_id = at_strike.account_id
        and valued.trading_date = at_strike.trading_date
        and valued.underlying_instrument_id = at_strike.underlying_instrument_id
