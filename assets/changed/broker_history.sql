-- Days of which a new run's portfolio-history says something else than the books have, missed days among them.
select distinct history.date as trading_date
from raw.portfolio_history as history
inner join new_run on history.run_id = new_run.run_id
inner join raw.extract_manifest as manifest
    on
        history.run_id = manifest.run_id and history.account_id = manifest.account_id
        and manifest.endpoint = 'portfolio_history' and manifest.complete
left join (
    select
        account_id, trading_date, realized_pnl, unrealized_pnl, net_pnl, day_pnl, position_pnl, sod_equity, eod_equity
    from core.broker_day
    union all
    select
        account_id, trading_date, realized_pnl, unrealized_pnl, net_pnl, day_pnl, position_pnl, sod_equity, eod_equity
    from pnl.missed_day
) as known
    on history.account_id = known.account_id and history.date = known.trading_date
where
    (
        history.realized_pnl, history.unrealized_pnl, history.net_pnl, history.day_pnl, history.position_pnl,
        history.sod_equity, history.eod_equity
    )
    is distinct from
    (
        known.realized_pnl, known.unrealized_pnl, known.net_pnl, known.day_pnl,
        known.position_pnl, known.sod_equity, known.eod_equity
    )
    and exists (
        select 1 from core.account_eod
        where account_eod.account_id = history.account_id and account_eod.trading_date <= history.date
    )
