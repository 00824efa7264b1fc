-- Figures of days since `first_restated` that were reported before and are not the same any more: each changed measure, old and new, the reason, since when.
with account_changes as (
    select
        fresh.trading_date,
        fresh.account_id,
        cast(null as varchar) as symbol,
        cast(null as varchar) as instrument_id,
        fresh.version,
        fresh.reason,
        fresh.known_from,
        [
            { 'measure': 'total P&L', 'old': former.total_pnl, 'new': fresh.total_pnl },
            { 'measure': 'realized P&L', 'old': former.realized_pnl, 'new': fresh.realized_pnl },
            { 'measure': 'change of unrealized', 'old': former.unrealized_change, 'new': fresh.unrealized_change },
            { 'measure': 'broker''s net P&L', 'old': former.broker_net, 'new': fresh.broker_net },
            { 'measure': 'flow', 'old': former.flow, 'new': fresh.flow },
            { 'measure': 'equity at the end', 'old': former.eod_equity, 'new': fresh.eod_equity }
        ] as measures
    from pnl.account_daily_version as fresh
    inner join pnl.account_daily_version as former
        on
            fresh.account_id = former.account_id
            and fresh.trading_date = former.trading_date
            and fresh.version = former.version + 1
    where
        fresh.version > 1 and fresh.trading_date between $first_restated and $day
        and fresh.known_from > coalesce($since, timestamptz '0001-01-01 00:00:00+00')
),

position_changes as (
    select
        fresh.trading_date,
        fresh.account_id,
        coalesce(fresh.symbol, former.symbol) as symbol,
        fresh.instrument_id,
        fresh.version,
        fresh.reason,
        fresh.known_from,
        [
            { 'measure': 'total P&L', 'old': former.total_pnl, 'new': fresh.total_pnl },
            {
                'measure': 'quantity',
                'old': cast(former.quantity as decimal(28, 10)), 'new': cast(fresh.quantity as decimal(28, 10))
            },
            { 'measure': 'market value', 'old': former.market_value, 'new': fresh.market_value }
        ] as measures
    from pnl.position_daily_version as fresh
    inner join pnl.position_daily_version as former
        on
            fresh.account_id = former.account_id
            and fresh.instrument_id = former.instrument_id
            and fresh.trading_date = former.trading_date
            and fresh.version = former.version + 1
    where
        fresh.version > 1 and fresh.trading_date between $first_restated and $day
        and fresh.known_from > coalesce($since, timestamptz '0001-01-01 00:00:00+00')
),

compared as (
    select * exclude (measures), unnest(measures, recursive := true) from account_changes
    union all
    select * exclude (measures), unnest(measures, recursive := true) from position_changes
)

select
    trading_date,
    account_id,
    symbol,
    measure,
    old,
    new,
    new - old as change,
    reason,
    known_from
from compared
where old is distinct from new
order by trading_date desc, symbol nulls first, account_id, measure, version, instrument_id
