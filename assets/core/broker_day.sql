-- What the broker itself says of an account's day: the portfolio-history segment in its latest form, and the balances of the snapshot that
-- speaks for the day. A day that follows a gap also carries the broker's P&L over the whole gap, where every day of it is known.
with days as (
    select account_id, trading_date, prev_trading_date, days_covered, daily_fields_run_id
    from core.account_eod
    where trading_date between $from_date and $to_date
),

covered as (
    select
        days.account_id,
        days.trading_date,
        sum(history.gross_pnl) as covered_pnl,
        count(history.gross_pnl) as covered_days
    from days
    inner join broker_history as history
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
    history.gross_pnl,
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
left join broker_history as history
    on days.account_id = history.account_id and days.trading_date = history.trading_date
left join covered
    on days.account_id = covered.account_id and days.trading_date = covered.trading_date
left join raw.balances
    on days.account_id = balances.account_id and days.daily_fields_run_id = balances.run_id
