-- What a request whose answer names no order and no instruction asked for, line by line as it was shown before it was sent.
select
    asked.run_id,
    asked.account_id,
    asked.instrument_id,
    asked.line ->> 'symbol' as symbol,
    asked.line ->> 'what' as what,
    try_cast(asked.line ->> 'quantity' as decimal(24, 8)) as quantity
from (
    select
        run_id,
        account_id,
        instrument_id,
        cast(value as json) as line
    from request_finding
    where check_name = 'trade_asked'
) as asked
