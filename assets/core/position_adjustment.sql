-- What no API says, people say: the lines of adjustments.csv. TRANSFER moves signed quantity, value and cost in or out; ID_CHANGE carries a
-- position to another instrument id; CASH_IN_LIEU and CASH_SETTLEMENT are cash received for what went.
select
    trading_date,
    account_id,
    kind,
    instrument_id,
    to_instrument_id,
    quantity,
    cash,
    value,
    cost_basis,
    author,
    note
from input_adjustment
