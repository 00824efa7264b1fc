-- Realized P&L, change of unrealized and total of each position with their source. Where one position of an account is unknown it is what the
-- account's own total for the days leaves over (ACCOUNT_RESIDUAL).
with counted as (
    select
        account_id,
        trading_date,
        count(*) filter (where total_source is null) as unknown_rows,
        sum(total_pnl) as known_total
    from pnl_source
    group by account_id, trading_date
),

-- a sum and a join: a window would sort every column of every row
residuals as (
    select
        counted.account_id,
        counted.trading_date,
        broker_day.covered_pnl - coalesce(counted.known_total, 0) as residual,
        broker_day.known_at
    from counted
    inner join core.broker_day
        on counted.account_id = broker_day.account_id and counted.trading_date = broker_day.trading_date
    where broker_day.trading_date between $from_date and $to_date and counted.unknown_rows = 1
)

select
    source.account_id,
    source.trading_date,
    source.instrument_id,
    source.carried_pnl,
    source.pnl_semantics,
    source.semantics_source,
    source.total_source is null and not source.is_opening and residuals.residual is not null as is_residual,
    case when is_residual then residuals.residual - source.unrealized_step else source.realized_pnl end as realized_pnl,
    case when is_residual then residuals.residual else source.total_pnl end as total_pnl,
    case when is_residual then source.unrealized_step else source.total_pnl - source.realized_pnl end as unrealized_change,
    case when is_residual then 'ACCOUNT_RESIDUAL' else source.total_source end as total_source,
    case when is_residual then residuals.known_at end as residual_known_at
from pnl_source as source
left join residuals
    on source.account_id = residuals.account_id and source.trading_date = residuals.trading_date
