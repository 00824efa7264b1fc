-- Positions of which no proof tells what an expiry did to them, but what else there is of prices does: their P&L is an assumption.
select
    account_id,
    trading_date,
    instrument_id
from option_delivered
where is_assumed
union
select
    account_id,
    trading_date,
    linked_to as instrument_id
from option_delivered
where stock_is_assumed
