-- Ours beside the broker's, figure by figure, for every known day of an account; what has no counterpart is NOT_CHECKED, never OK.
-- quality.reconciliation shows it with the age of every break.
with accounts as (
    select
        account.*,
        broker.net_pnl as net,
        broker.gross_pnl as gross,
        broker.day_pnl as broker_day_pnl,
        broker.position_pnl as broker_position_pnl,
        broker.balance_pnl,
        broker.long_market_value as broker_long,
        broker.short_market_value as broker_short,
        broker.equity,
        broker.balance_unrealized,
        broker.trade_cash,
        greatest(0.05, 0.01 * (account.positions_known + account.positions_unknown)) as tolerance
    from new_account_daily as account
    left join core.broker_day as broker
        on account.account_id = broker.account_id and account.trading_date = broker.trading_date
),

positions as (
    select
        account_id,
        trading_date,
        sum(case when market_value > 0 then market_value else 0 end) as long_value,
        sum(case when market_value < 0 then market_value else 0 end) as short_value,
        sum(unrealized_pnl) as unrealized
    from new_position_daily
    where quantity <> 0 and instrument_type <> 'CASH'
    group by account_id, trading_date
),

compared as (
    select
        trading_date, account_id, run_id, 'total_vs_balances' as check_name,
        case when days_covered = 1 or prev_trading_date is null then total_pnl end as ours,
        balance_pnl as broker, tolerance, 'BREAK' as failing
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'total_vs_history',
        case when days_covered = 1 or prev_trading_date is null then total_pnl end, gross, tolerance, 'BREAK'
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'realized_vs_history',
        case when days_covered = 1 then realized_pnl end, broker_realized, tolerance, 'WARN'
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'unrealized_change_vs_history',
        case when days_covered = 1 then unrealized_change end, broker_unrealized, tolerance, 'WARN'
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'net_after_fees_vs_history',
        case when days_covered = 1 then total_pnl + fees_and_other end, net, tolerance, 'BREAK'
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'income_estimate_vs_fees_and_other',
        case when days_covered = 1 and income_estimate <> 0 then income_estimate end, fees_and_other,
        greatest(tolerance, 0.01 * abs(income_estimate)), 'WARN'
    from accounts
    union all
    select trading_date, account_id, run_id, 'realized_plus_unrealized_vs_net', gross, net, tolerance, 'WARN'
    from accounts
    union all
    select trading_date, account_id, run_id, 'eod_minus_sod_vs_net', eod_equity - sod_equity, net, tolerance, 'WARN'
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'day_plus_position_vs_net',
        broker_day_pnl + broker_position_pnl, net, tolerance, 'WARN'
    from accounts
    union all
    select
        trading_date, account_id, run_id, 'sod_vs_prior_eod',
        sod_equity, sod_equity - overnight_adjustment, tolerance, 'WARN'
    from accounts
    union all
    select
        accounts.trading_date, accounts.account_id, accounts.run_id, 'long_value_vs_balances',
        coalesce(positions.long_value, 0), accounts.broker_long, accounts.tolerance, 'WARN'
    from accounts
    left join positions
        on accounts.account_id = positions.account_id and accounts.trading_date = positions.trading_date
    union all
    -- balances state the short side as a positive amount, and leave it out when it is zero
    select
        accounts.trading_date, accounts.account_id, accounts.run_id, 'short_value_vs_balances',
        coalesce(positions.short_value, 0),
        case when accounts.broker_long is not null then -coalesce(abs(accounts.broker_short), 0) end,
        accounts.tolerance, 'WARN'
    from accounts
    left join positions
        on accounts.account_id = positions.account_id and accounts.trading_date = positions.trading_date
    union all
    select
        accounts.trading_date, accounts.account_id, accounts.run_id, 'unrealized_vs_balances',
        coalesce(positions.unrealized, 0), accounts.balance_unrealized, accounts.tolerance, 'WARN'
    from accounts
    left join positions
        on accounts.account_id = positions.account_id and accounts.trading_date = positions.trading_date
    union all
    select
        accounts.trading_date, accounts.account_id, accounts.run_id, 'equity_vs_balances',
        accounts.trade_cash + coalesce(positions.long_value, 0) + coalesce(positions.short_value, 0),
        accounts.equity, accounts.tolerance, 'WARN'
    from accounts
    left join positions
        on accounts.account_id = positions.account_id and accounts.trading_date = positions.trading_date
)

select
    trading_date,
    account_id,
    check_name,
    try_cast(ours as decimal(28, 10)) as ours,
    try_cast(broker as decimal(28, 10)) as broker,
    try_cast(ours - broker as decimal(28, 10)) as difference,
    try_cast(tolerance as decimal(28, 10)) as tolerance,
    case
        when ours is null or broker is null then 'NOT_CHECKED'
        when abs(ours - broker) <= tolerance then 'OK'
        else failing
    end as status,
    run_id
from compared
