-- Day by day over the accounts: P&L, net P&L and what it was earned on, gross and net exposure. A day that is not known of every expected account
-- has holes; an account's first day is none. Figures in different currencies are never added.
with currency as (
    select count(distinct currency) <= 1 as is_one
    from core.broker_day
),

expected as (
    select
        trading_date,
        count(*) as accounts
    from daybook.core.expected_day
    where account_id in (select account_id from main.asked_account) and trading_date <= $day
    group by trading_date
),

daily as (
    select
        trading_date,
        count(*) as accounts,
        sum(total_pnl) as total_pnl,
        count(*) filter (where total_pnl is null and prev_trading_date is not null) as unknown,
        sum(broker_net) as net,
        sum(sod_equity + greatest(flow, 0)) as base,
        count(*) filter (where prev_trading_date is null and total_pnl is null) as openings,
        count(*) filter (
            where
            (daily_return is null and prev_trading_date is not null)
            or days_covered > 1
        ) as returns_unknown
    from pnl.account_daily
    group by trading_date
),

held as (
    select
        trading_date,
        sum(abs(market_value)) as gross,
        sum(market_value) as net_exposure
    from pnl.position_daily
    where quantity <> 0 and coalesce(instrument_type, '') <> 'CASH'
    group by trading_date
)

select
    expected.trading_date,
    case when currency.is_one then daily.total_pnl end as total_pnl,
    expected.accounts - coalesce(daily.accounts, 0) + coalesce(daily.unknown, 0) as holes,
    case when currency.is_one and daily.returns_unknown = 0 and daily.accounts = expected.accounts then daily.net end as net,
    case when daily.returns_unknown = 0 and daily.accounts = expected.accounts then daily.base end as base,
    case when currency.is_one and daily.accounts > 0 then coalesce(held.gross, 0) end as gross,
    case when currency.is_one and daily.accounts > 0 then coalesce(held.net_exposure, 0) end as net_exposure,
    coalesce(daily.openings = expected.accounts, false) as is_opening
from expected
cross join currency
left join daily on expected.trading_date = daily.trading_date
left join held on expected.trading_date = held.trading_date
order by expected.trading_date
