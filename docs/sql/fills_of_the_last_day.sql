-- What was traded on the last day, at which prices, and for how much?
-- Each fill once, however often the broker listed it. A positive cash flow came in: what was sold. A fill that the broker withdrew later counts nowhere, and
-- has the time at which it was gone. The multiplier is that of the contract; notional is null where price or multiplier is not known.
select
    account_id,
    transaction_time,
    symbol,
    side,
    quantity,
    price,
    multiplier,
    notional,
    case when side = 'BUY' then -notional else notional end as cash_flow,
    order_id,
    withdrawn_at
from core.fill
where trading_date = (select max(trading_date) from quality.day)
order by account_id, transaction_time, id
