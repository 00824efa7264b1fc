-- Performance over the period that ends on `as_of`, of every account and of all accounts of a currency together (account_id null): what pnl.performance
-- says of it, in per cent, and how much of it the broker's history alone tells. A period shorter than the shortest year that the exchange had (248
-- sessions) is not annualized.
with names as (
    select
        account_id,
        short_name
    from raw.accounts
    qualify row_number() over (partition by account_id order by run_id desc) = 1
),

sources as (
    select
        account_id,
        min(trading_date) filter (where total_pnl is not null) as since,
        count(total_pnl) as sessions,
        count(total_pnl) filter (where source = 'BROKER') as by_broker
    from pnl.account_history
    where trading_date between $first_date and $as_of
    group by account_id
)

select
    performance.account_id,
    names.short_name as name,
    performance.currency,
    coalesce(sources.since, performance.from_date) as since,
    performance.as_of,
    sources.sessions,
    sources.by_broker,
    performance.sessions as returns,
    performance.holes,
    performance.total_pnl,
    performance.twr * 100 as twr,
    case when performance.sessions >= 248 then performance.annualized_return * 100 end as annualized_return,
    performance.volatility * 100 as volatility,
    performance.sharpe,
    performance.sortino,
    performance.max_drawdown * 100 as max_drawdown,
    performance.max_drawdown_from,
    performance.max_drawdown_to,
    performance.recovered_on,
    performance.best_day * 100 as best_day,
    performance.worst_day * 100 as worst_day,
    performance.win_rate * 100 as win_rate,
    performance.profit_factor,
    performance.average_gain * 100 as average_gain,
    performance.average_loss * 100 as average_loss
from pnl.performance
left join names on performance.account_id = names.account_id
left join sources on performance.account_id = sources.account_id
where performance.as_of = $as_of and performance."window" = $period_window
order by performance.account_id nulls last, performance.currency
