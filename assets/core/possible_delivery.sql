-- Underlyings of options that had expired by the end of a day: they may have come and gone for strike cash, though nobody saw a share.
select
    account_id,
    day as trading_date,
    underlying_instrument_id as instrument_id,
    -- an option's symbol begins with that of its underlying
    max(osi_root(symbol)) as symbol
from position_before
where instrument_type = 'OPTION' and underlying_instrument_id is not null and option_expiry <= day
group by account_id, day, underlying_instrument_id
