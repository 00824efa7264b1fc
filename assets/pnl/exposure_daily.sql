-- Exposure of every account at the end of its day, cash apart: long and short market value (short negative), gross = long - short,
-- net = long + short, and both in per cent of the account's equity where the broker gave it.
select
    account_eod.account_id,
    account_eod.trading_date,
    cast(coalesce(sum(position_eod.market_value) filter (where position_eod.market_value > 0), 0) as decimal(28, 10))
        as long_market_value,
    cast(coalesce(sum(position_eod.market_value) filter (where position_eod.market_value < 0), 0) as decimal(28, 10))
        as short_market_value,
    cast(coalesce(sum(abs(position_eod.market_value)), 0) as decimal(28, 10)) as gross,
    cast(coalesce(sum(position_eod.market_value), 0) as decimal(28, 10)) as net,
    cast(round(
        100 * cast(coalesce(sum(abs(position_eod.market_value)), 0) as double)
        / nullif(cast(max(coalesce(broker_day.equity, broker_day.eod_equity)) as double), 0), 8
    ) as decimal(18, 8)) as gross_pct,
    cast(round(
        100 * cast(coalesce(sum(position_eod.market_value), 0) as double)
        / nullif(cast(max(coalesce(broker_day.equity, broker_day.eod_equity)) as double), 0), 8
    ) as decimal(18, 8)) as net_pct,
    count(position_eod.instrument_id) as position_count
from core.account_eod
left join core.position_eod
    on
        account_eod.account_id = position_eod.account_id
        and account_eod.trading_date = position_eod.trading_date
        and position_eod.instrument_type <> 'CASH'
        and position_eod.quantity <> 0
left join core.broker_day
    on account_eod.account_id = broker_day.account_id and account_eod.trading_date = broker_day.trading_date
group by account_eod.account_id, account_eod.trading_date
