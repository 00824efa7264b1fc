-- Days of which a new run's portfolio-history says something else than the last one before it that told of them, missed days too; from an account's
-- first known day on (of those before it alone/missed_day.sql tells).
with segments as (
    select
        history.account_id,
        history.date,
        history.run_id in (select run_id from new_run) as is_new,
        (
            history.realized_pnl, history.unrealized_pnl, history.net_pnl, history.day_pnl, history.position_pnl,
            history.sod_equity, history.eod_equity
        ) as figures,
        runs.finished_at,
        runs.run_id
    from raw.portfolio_history as history
    inner join (
        select run_id, finished_at from core.run
        union all
        select run_id, finished_at from new_run
    ) as runs on history.run_id = runs.run_id
    inner join raw.extract_manifest as manifest
        on
            history.run_id = manifest.run_id and history.account_id = manifest.account_id
            and manifest.endpoint = 'portfolio_history' and manifest.complete
    where history.date >= (
        select min(date) from raw.portfolio_history where run_id in (select run_id from new_run)
    )
),

latest as (
    select account_id, date, is_new, figures
    from segments
    qualify row_number() over (partition by account_id, date, is_new order by finished_at desc, run_id desc) = 1
)

select now_said.date as trading_date
from latest as now_said
left join latest as said_before
    on now_said.account_id = said_before.account_id and now_said.date = said_before.date and not said_before.is_new
where
    now_said.is_new and now_said.figures is distinct from said_before.figures
    and exists (
        select 1 from core.account_eod as known
        where known.account_id = now_said.account_id and known.trading_date <= now_said.date
    )
