-- Ours beside the broker's, figure by figure, for every known day of an account; what has no counterpart is NOT_CHECKED, never OK.
-- quality.reconciliation shows it with the age of every break.
with compared as (
    select
        trading_date, account_id, run_id, 'total_vs_balances' as check_name, 'BREAK' as failing,
        case when days_covered = 1 or prev_trading_date is null then total_pnl end as ours, balance_pnl as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'total_vs_history' as check_name, 'BREAK' as failing,
        -- over a gap, what the history has of all of it
        total_pnl as ours, covered_pnl as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'realized_vs_history' as check_name, 'WARN' as failing,
        case when days_covered = 1 then realized_pnl end as ours, broker_realized as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'unrealized_change_vs_history' as check_name, 'WARN' as failing,
        case when days_covered = 1 then unrealized_change end as ours, broker_unrealized as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'net_after_fees_vs_history' as check_name, 'BREAK' as failing,
        case when days_covered = 1 then total_pnl + fees_and_other end as ours, net as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'income_estimate_vs_fees_and_other' as check_name, 'WARN' as failing,
        case when days_covered = 1 and income_estimate <> 0 then income_estimate end as ours,
        fees_and_other as broker,
        greatest(tolerance, 0.01 * abs(income_estimate)) as tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'realized_plus_unrealized_vs_net' as check_name, 'WARN' as failing,
        gross as ours, net as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'eod_minus_sod_vs_net' as check_name, 'WARN' as failing,
        eod_equity - sod_equity as ours, net as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'day_plus_position_vs_net' as check_name, 'WARN' as failing,
        broker_day_pnl + broker_position_pnl as ours, net as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'sod_vs_prior_eod' as check_name, 'WARN' as failing,
        sod_equity as ours, sod_equity - overnight_adjustment as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'long_value_vs_balances' as check_name, 'WARN' as failing,
        long_value as ours, broker_long as broker, tolerance
    from account_figure
    union all
    -- balances state the short side as a positive amount, and leave it out when it is zero
    select
        trading_date, account_id, run_id, 'short_value_vs_balances' as check_name, 'WARN' as failing,
        short_value as ours, case when broker_long is not null then -coalesce(abs(broker_short), 0) end as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'unrealized_vs_balances' as check_name, 'WARN' as failing,
        unrealized as ours, balance_unrealized as broker, tolerance
    from account_figure
    union all
    select
        trading_date, account_id, run_id, 'equity_vs_balances' as check_name, 'WARN' as failing,
        trade_cash + long_value + short_value as ours, equity as broker, tolerance
    from account_figure
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
