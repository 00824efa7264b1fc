-- What became of positions without a trade: options exercised, assigned, expired or let lapse, linked to the instruction that asked for it
-- (accepted_quantity counts, not what was asked for), and stock splits. Strike cash and the premium that rolls into the stock come from
-- here. What can't be told apart is no event: the position's P&L stays unknown until someone says (adjustments.csv).
select
    account_id,
    instrument_id,
    trading_date,
    kind,
    event_date,
    symbol,
    underlying_instrument_id,
    contracts,
    strike,
    multiplier,
    quantity_moved,
    underlying_quantity_moved,
    cash,
    value_moved,
    basis_moved,
    premium_treatment,
    instruction_id,
    confidence,
    evidence,
    cast(null as decimal(12, 6)) as numerator,
    cast(null as decimal(12, 6)) as denominator,
    evidence_known_at
from option_event
union all
select
    account_id,
    instrument_id,
    trading_date,
    'SPLIT' as kind,
    trading_date as event_date,
    symbol,
    underlying_instrument_id,
    cast(abs(quantity_prev) as decimal(24, 8)) as contracts,
    null as strike,
    multiplier,
    try_cast(quantity_prev_split - quantity_prev as decimal(24, 8)) as quantity_moved,
    0 as underlying_quantity_moved,
    0 as cash,
    0 as value_moved,
    0 as basis_moved,
    null as premium_treatment,
    null as instruction_id,
    'INFERRED' as confidence,
    'corporate event of the broker' as evidence,
    split_numerator as numerator,
    split_denominator as denominator,
    null as evidence_known_at
from position_change
where split_numerator <> split_denominator and trading_date between $from_date and $to_date
union all
-- what people said, of a day without a session on the next one; position_daily takes it from the adjustments themselves
select
    account_id,
    instrument_id,
    (select min(calendar.trading_date) from core.calendar where calendar.trading_date >= position_adjustment.trading_date)
        as trading_date,
    kind,
    position_adjustment.trading_date as event_date,
    null as symbol,
    null as underlying_instrument_id,
    cast(abs(quantity) as decimal(24, 8)) as contracts,
    null as strike,
    null as multiplier,
    quantity as quantity_moved,
    null as underlying_quantity_moved,
    cash,
    value as value_moved,
    cost_basis as basis_moved,
    null as premium_treatment,
    null as instruction_id,
    'MANUAL' as confidence,
    concat_ws(': ', author, note) as evidence,
    null as numerator,
    null as denominator,
    null as evidence_known_at
from core.position_adjustment
where (
    select min(calendar.trading_date) from core.calendar where calendar.trading_date >= position_adjustment.trading_date
) between $from_date and $to_date
