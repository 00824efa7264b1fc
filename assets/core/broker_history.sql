-- The broker's own figures of each trading day of an account (portfolio-history) in their latest form, also of days whose end was not read.
with observed as (
    select
        history.account_id,
        history.date as trading_date,
        history.realized_pnl,
        history.unrealized_pnl,
        history.net_pnl,
        history.day_pnl,
        history.position_pnl,
        history.sod_equity,
        history.eod_equity,
        min(run.finished_at) as known_at,
        max(run.finished_at) as last_observed_at,
        max(run.run_id) as last_run_id
    from raw.portfolio_history as history
    inner join core.run on history.run_id = run.run_id
    -- a 207 brings part of the history with figures missing: it may not overwrite what was known
    inner join raw.extract_manifest as manifest
        on
            history.run_id = manifest.run_id
            and history.account_id = manifest.account_id
            and manifest.endpoint = 'portfolio_history'
            and manifest.complete
    where
        run.trading_date >= (
            select least(min(prev_trading_date), $from_date) from core.account_eod
            where trading_date between $from_date and $to_date
        )
        and history.date >= (
            select least(min(prev_trading_date), $from_date) from core.account_eod
            where trading_date between $from_date and $to_date
        )
        and history.date <= $to_date
    group by all
)

select
    account_id,
    trading_date,
    realized_pnl,
    unrealized_pnl,
    try_cast(realized_pnl + unrealized_pnl as decimal(28, 10)) as gross_pnl,
    net_pnl,
    day_pnl,
    position_pnl,
    sod_equity,
    eod_equity,
    known_at,
    last_observed_at
from observed
qualify row_number() over (partition by account_id, trading_date order by last_observed_at desc, known_at desc, last_run_id desc) = 1
