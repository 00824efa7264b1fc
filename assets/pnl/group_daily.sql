-- Daily P&L of an account by underlying, by type of instrument and by side: each dimension sums to the account's positions. Over all accounts
-- (account_id is null) by currency, the sums that there are where accounts are in different ones. A group with an unknown position, or account,
-- has no total.
with positions as (
    select
        account_id,
        trading_date,
        coalesce(underlying_instrument_id, instrument_id) as underlying,
        coalesce(instrument_type, 'UNKNOWN') as instrument_type,
        case when coalesce(nullif(quantity, 0), quantity_prev, 0) < 0 then 'SHORT' else 'LONG' end as side,
        market_value,
        realized_pnl,
        unrealized_change,
        total_pnl,
        income_estimate
    from pnl.position_daily
),

valued as (
    select
        account_id,
        trading_date,
        sum(market_value) as market_value,
        count(*) - count(market_value) as values_unknown
    from positions
    group by account_id, trading_date
)

select
    account_id,
    trading_date,
    case when grouping(underlying) = 0 then 'UNDERLYING' when grouping(side) = 0 then 'SIDE' else 'INSTRUMENT_TYPE' end
        as dimension,
    coalesce(underlying, side, instrument_type) as value,
    try_cast(case when count(market_value) = count(*) then sum(market_value) end as decimal(28, 10)) as market_value,
    try_cast(case when count(realized_pnl) = count(*) then sum(realized_pnl) end as decimal(28, 10)) as realized_pnl,
    try_cast(case when count(unrealized_change) = count(*) then sum(unrealized_change) end as decimal(28, 10))
        as unrealized_change,
    try_cast(case when count(total_pnl) = count(*) then sum(total_pnl) end as decimal(28, 10)) as total_pnl,
    try_cast(sum(income_estimate) as decimal(28, 10)) as income_estimate,
    count(*) as positions,
    count(*) - count(total_pnl) as positions_unknown
from positions
group by
    grouping sets (
        (account_id, trading_date, underlying), (account_id, trading_date, side),
        (account_id, trading_date, instrument_type)
    )
union all
select
    null as account_id,
    expected.trading_date,
    'CURRENCY' as dimension,
    coalesce(account_currency.currency, 'UNKNOWN') as value,
    try_cast(
        case
            when count(daily.account_id) = count(*) and coalesce(sum(valued.values_unknown), 0) = 0
                then sum(coalesce(valued.market_value, 0))
        end as decimal(28, 10)
    ) as market_value,
    try_cast(case when count(daily.realized_pnl) = count(*) then sum(daily.realized_pnl) end as decimal(28, 10))
        as realized_pnl,
    try_cast(case when count(daily.unrealized_change) = count(*) then sum(daily.unrealized_change) end as decimal(28, 10))
        as unrealized_change,
    try_cast(case when count(daily.total_pnl) = count(*) then sum(daily.total_pnl) end as decimal(28, 10)) as total_pnl,
    try_cast(case when count(daily.income_estimate) = count(*) then sum(daily.income_estimate) end as decimal(28, 10))
        as income_estimate,
    cast(sum(daily.positions_known + daily.positions_unknown) as bigint) as positions,
    cast(sum(daily.positions_unknown) as bigint) as positions_unknown
from core.expected_day as expected
left join pnl.account_daily as daily
    on expected.account_id = daily.account_id and expected.trading_date = daily.trading_date
left join valued on expected.account_id = valued.account_id and expected.trading_date = valued.trading_date
left join account_currency on expected.account_id = account_currency.account_id
group by expected.trading_date, coalesce(account_currency.currency, 'UNKNOWN')
