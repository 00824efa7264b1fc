-- Days of which a new run's portfolio-history says something else than the books have.
select distinct broker_day.trading_date
from raw.portfolio_history as history
inner join new_run on history.run_id = new_run.run_id
inner join raw.extract_manifest as manifest
    on
        history.run_id = manifest.run_id and history.account_id = manifest.account_id
        and manifest.endpoint = 'portfolio_history' and manifest.complete
inner join core.broker_day
    on history.account_id = broker_day.account_id and history.date = broker_day.trading_date
where (
    history.realized_pnl, history.unrealized_pnl, history.net_pnl, history.day_pnl, history.position_pnl,
    history.sod_equity, history.eod_equity
)
is distinct from
(
    broker_day.realized_pnl, broker_day.unrealized_pnl, broker_day.net_pnl, broker_day.day_pnl,
    broker_day.position_pnl, broker_day.sod_equity, broker_day.eod_equity
)
