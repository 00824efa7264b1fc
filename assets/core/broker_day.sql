-- What the broker itself says of an account's day: the portfolio-history segment in its latest form, and the balances of the snapshot that
-- speaks for the day. A day that follows a gap also carries the broker's P&L over the whole gap, where every day of it is known.
with days as (
    select account_id, trading_date, prev_trading_date, days_covered, daily_fields_run_id
    from core.account_eod
    where trading_date between $from_date and $to_date
),

observed as (
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
        max(run.finished_at) as last_observed_at
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
        run.trading_date >= (select coalesce(min(prev_trading_date), $from_date) from days)
        and history.date >= (select coalesce(min(prev_trading_date), $from_date) from days)
        and history.date <= $to_date
    group by all
),

history as (
    select
        account_id,
        trading_date,
        realized_pnl,
        unrealized_pnl,
        net_pnl,
        day_pnl,
        position_pnl,
        sod_equity,
        eod_equity,
        known_at
    from observed
    qualify row_number() over (partition by account_id, trading_date order by last_observed_at desc, known_at desc) = 1
),

covered as (
    select
        days.account_id,
        days.trading_date,
        sum(history.realized_pnl + history.unrealized_pnl) as covered_pnl,
        count(history.realized_pnl + history.unrealized_pnl) as covered_days
    from days
    inner join history
        on
            days.account_id = history.account_id
            and history.trading_date <= days.trading_date
            and history.trading_date > coalesce(days.prev_trading_date, days.trading_date - 1)
    group by days.account_id, days.trading_date
)

select
    days.account_id,
    days.trading_date,
    history.realized_pnl,
    history.unrealized_pnl,
    try_cast(history.realized_pnl + history.unrealized_pnl as decimal(28, 10)) as gross_pnl,
    history.net_pnl,
    history.day_pnl,
    history.position_pnl,
    history.sod_equity,
    history.eod_equity,
    case
        when covered.covered_days = coalesce(days.days_covered, 1) then try_cast(covered.covered_pnl as decimal(28, 10))
    end as covered_pnl,
    balances.daily_pnl as balance_pnl,
    balances.equity,
    balances.currency,
    balances.long_market_value,
    balances.short_market_value,
    balances.unrealized_pnl as balance_unrealized,
    balances.trade_cash,
    history.known_at
from days
left join history
    on days.account_id = history.account_id and days.trading_date = history.trading_date
left join covered
    on days.account_id = covered.account_id and days.trading_date = covered.trading_date
left join raw.balances
    on days.account_id = balances.account_id and days.daily_fields_run_id = balances.run_id
