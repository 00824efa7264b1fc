-- Where an answer of the broker's history contradicts itself, told on the evening that brought it: sessions that begin with another equity than the one
-- before them ended with, and P&L of days that are no session or that had not come yet. quality.reconciliation has each session with what it compares.
with answered as (
    select
        run.trading_date,
        history.account_id,
        history.run_id,
        history.date,
        history.sod_equity,
        history.eod_equity,
        history.net_pnl
    from raw.portfolio_history as history
    inner join core.run on history.run_id = run.run_id
    inner join raw.extract_manifest as manifest
        on
            history.run_id = manifest.run_id and history.account_id = manifest.account_id
            and manifest.endpoint = 'portfolio_history' and manifest.complete
    where run.trading_date between $from_date and $to_date
),

told as (
    select
        answered.trading_date,
        answered.account_id,
        answered.run_id,
        answered.date,
        answered.sod_equity,
        before.eod_equity,
        answered.net_pnl,
        calendar.trading_date is null or answered.date > answered.trading_date as is_no_session
    from answered
    left join core.calendar on answered.date = calendar.trading_date
    left join answered as before
        on
            answered.run_id = before.run_id and answered.account_id = before.account_id
            and calendar.prev_trading_date = before.date
    where
        answered.date <> answered.trading_date
        -- what an earlier evening was told alike was said then
        and not exists (
            select 1 from raw.portfolio_history as earlier
            where
                earlier.date >= (select min(date) from answered)
                and earlier.account_id = answered.account_id and earlier.date = answered.date
                and earlier.run_id < answered.run_id
                and earlier.sod_equity is not distinct from answered.sod_equity
                and earlier.net_pnl is not distinct from answered.net_pnl
        )
)

select
    trading_date,
    account_id,
    null as instrument_id,
    run_id,
    'history_equity_jumps' as check_name,
    'WARN' as severity,
    cast(count(*) as string) || ' sessions, the first ' || cast(min(date) as string) as value,
    null as expected,
    'portfolio-history begins sessions with another equity than the one before them ended with: quality.reconciliation has each '
    || '(sod_vs_prior_eod), and returns count each session as it is told' as message
from told
where not is_no_session and abs(sod_equity - eod_equity) > cent()
group by trading_date, account_id, run_id
union all
select
    trading_date,
    account_id,
    null as instrument_id,
    run_id,
    'history_of_no_session' as check_name,
    'WARN' as severity,
    cast(count(*) as string) || ' days, the first ' || cast(min(date) as string) as value,
    null as expected,
    'portfolio-history tells of days on which the market was closed or that had not come yet: their P&L counts nowhere' as message
from told
where is_no_session and net_pnl <> 0
group by trading_date, account_id, run_id
