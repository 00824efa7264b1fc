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
        told.run_id,
        told.account_id,
        told.item ->> 'instrument_id' as instrument_id,
        cast(told.item ->> 'value' as json) as line
    from (
        select
            manifest.run_id,
            manifest.account_id,
            unnest(cast(manifest.findings as json[])) as item
        from request_sent as requests
        inner join raw.extract_manifest as manifest on requests.run_id = manifest.run_id
        where manifest.findings is not null
    ) as told
    where (told.item ->> 'check_name') = 'trade_asked'
) as asked
