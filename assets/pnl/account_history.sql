-- Every session of an account that anybody knows, once, from the first that the broker tells of: BOOKS, a day of the books; BROKER, a session before the
-- books or one that was missed, from portfolio-history; REMAINDER, a day of the books that covers missed sessions, less what the BROKER rows have of
-- it; SPAN, one that covers sessions of which nobody knows more (`days_covered`). The sum over any range is the sum of what is known. Net P&L, equity,
-- flow and return are the broker's figures of the trading date itself.
select
    daily.account_id,
    daily.trading_date,
    case
        when gap_told.sessions_told > 0 then 'REMAINDER'
        when gap_told.sessions_unknown > 0 then 'SPAN'
        else 'BOOKS'
    end as source,
    cast(1 + coalesce(gap_told.sessions_unknown, 0) as integer) as days_covered,
    try_cast(daily.total_pnl - coalesce(gap_told.total_pnl, 0) as decimal(28, 10)) as total_pnl,
    try_cast(daily.realized_pnl - coalesce(gap_told.realized_pnl, 0) as decimal(28, 10)) as realized_pnl,
    try_cast(daily.unrealized_change - coalesce(gap_told.unrealized_pnl, 0) as decimal(28, 10)) as unrealized_change,
    daily.broker_net as net_pnl,
    daily.sod_equity,
    daily.eod_equity,
    daily.flow,
    daily.daily_return,
    greatest(daily.known_from, gap_told.known_from) as known_from
from pnl.account_daily as daily
left join gap_told
    on daily.account_id = gap_told.account_id and daily.trading_date = gap_told.covered_by
union all
select
    account_id,
    trading_date,
    'BROKER' as source,
    1 as days_covered,
    total_pnl,
    realized_pnl,
    unrealized_pnl as unrealized_change,
    net_pnl,
    sod_equity,
    eod_equity,
    try_cast(flow as decimal(28, 10)) as flow,
    daily_return,
    known_from
from pnl.missed_day
where total_pnl is not null or daily_return is not null
