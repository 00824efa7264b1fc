-- What the splits of an account's day come to for each instrument: several on one instrument multiply.
select
    account_id,
    trading_date,
    instrument_id,
    try_cast(round(exp(sum(ln(cast(numerator as double)))), 6) as decimal(12, 6)) as numerator,
    try_cast(round(exp(sum(ln(cast(denominator as double)))), 6) as decimal(12, 6)) as denominator
from split_between
group by account_id, trading_date, instrument_id
