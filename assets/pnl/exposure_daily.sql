-- Exposure of every account at the end of its day, cash apart: long and short market value (short negative), gross = long - short,
-- net = long + short, both in per cent of the account's equity where the broker gave it (null where that is next to nothing, or nothing or less),
-- and net with options by their delta, null where one is not known.
with parts as (
    -- stacked: to join every position to its day would cost more than to add them up
    select
        account_id, trading_date, null as run_id, market_value, delta_exposure, instrument_id,
        null as equity
    from core.position_eod
    where instrument_type <> 'CASH' and quantity is distinct from 0
    union all
    select
        account_id, trading_date, run_id, null as market_value, null as delta_exposure, null as instrument_id,
        null as equity
    from core.account_eod
    union all
    select
        account_id, trading_date, null as run_id, null as market_value, null as delta_exposure,
        null as instrument_id,
        coalesce(equity, eod_equity) as equity
    from core.broker_day
),

summed as (
    select
        account_id,
        trading_date,
        -- a position whose value nobody knows leaves the sums unknown
        case
            when count(market_value) = count(instrument_id) then sum(case when market_value > 0 then market_value else 0 end)
        end as long_market_value,
        case
            when count(market_value) = count(instrument_id) then sum(case when market_value < 0 then market_value else 0 end)
        end as short_market_value,
        case when count(delta_exposure) = count(instrument_id) then coalesce(sum(delta_exposure), 0) end as delta_exposure,
        case when max(equity) > 0 then cast(max(equity) as double) end as equity,
        count(instrument_id) as position_count
    from parts
    group by account_id, trading_date
    having count(run_id) > 0
)

select
    account_id,
    trading_date,
    try_cast(long_market_value as decimal(28, 10)) as long_market_value,
    try_cast(short_market_value as decimal(28, 10)) as short_market_value,
    try_cast(long_market_value - short_market_value as decimal(28, 10)) as gross,
    try_cast(long_market_value + short_market_value as decimal(28, 10)) as net,
    try_cast(round(100 * cast(long_market_value - short_market_value as double) / equity, 8) as decimal(18, 8))
        as gross_pct,
    try_cast(round(100 * cast(long_market_value + short_market_value as double) / equity, 8) as decimal(18, 8))
        as net_pct,
    position_count,
    try_cast(delta_exposure as decimal(28, 10)) as delta_exposure
from summed
