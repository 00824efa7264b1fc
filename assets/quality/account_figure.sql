-- The figures of an account's day beside the broker's own, and how far they may be apart. What the broker's P&L after fees has beside realized and
-- unrealized is income that was announced and `costs`: fees and interest of a usual size, up to a hundredth of what was traded and a thousandth of
-- the equity. What came in or went out is `flow_seen` as its balances show it, where its equity says that there was anything.
with positions as (
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

figures as (
    select
        account.trading_date,
        account.account_id,
        account.run_id,
        account.days_covered,
        account.prev_trading_date,
        account.total_pnl,
        account.realized_pnl,
        account.unrealized_change,
        account.fees_and_other,
        account.income_estimate,
        account.sod_equity,
        account.eod_equity,
        account.overnight_adjustment,
        account.broker_realized,
        account.broker_unrealized,
        broker.net_pnl as net,
        broker.gross_pnl as gross,
        broker.covered_pnl,
        broker.day_pnl as broker_day_pnl,
        broker.position_pnl as broker_position_pnl,
        broker.balance_pnl,
        broker.long_market_value as broker_long,
        broker.short_market_value as broker_short,
        broker.equity,
        broker.balance_unrealized,
        broker.trade_cash,
        broker.equity - before.equity as equity_change,
        0.01 * (coalesce(account.bought_notional, 0) + coalesce(account.sold_notional, 0)) + 0.001 * abs(account.eod_equity)
            as usual_costs,
        -- of a day that covers several, dividends are those of all of them, and the broker's P&L is its own alone
        case
            when coalesce(account.days_covered, 1) = 1 then coalesce(account.income_estimate, 0)
            when account.income_estimate = 0 then 0
        end as income_of_day,
        tolerance(account.positions_known + account.positions_unknown) as tolerance,
        coalesce(positions.long_value, 0) as long_value,
        coalesce(positions.short_value, 0) as short_value,
        coalesce(positions.unrealized, 0) as unrealized
    from new_account_daily as account
    left join core.broker_day as broker
        on account.account_id = broker.account_id and account.trading_date = broker.trading_date
    left join core.broker_day as before
        on
            account.account_id = before.account_id and account.prev_trading_date = before.trading_date
            and account.days_covered = 1
    left join positions
        on account.account_id = positions.account_id and account.trading_date = positions.trading_date
)

select
    trading_date,
    account_id,
    run_id,
    days_covered,
    prev_trading_date,
    total_pnl,
    realized_pnl,
    unrealized_change,
    fees_and_other,
    income_estimate,
    sod_equity,
    eod_equity,
    overnight_adjustment,
    broker_realized,
    broker_unrealized,
    net,
    gross,
    covered_pnl,
    broker_day_pnl,
    broker_position_pnl,
    balance_pnl,
    broker_long,
    broker_short,
    equity,
    balance_unrealized,
    trade_cash,
    income_of_day,
    tolerance,
    long_value,
    short_value,
    unrealized,
    case
        when fees_and_other - income_of_day > 0 or fees_and_other - income_of_day < -greatest(tolerance, usual_costs) then 0
        when usual_costs is not null then fees_and_other - income_of_day
    end as costs,
    case when abs(eod_equity - sod_equity - net) <= tolerance then 0 else equity_change - net end as flow_seen
from figures
