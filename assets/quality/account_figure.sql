-- The figures of an account's day beside the broker's own, and how far they may be apart.
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
)

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
    tolerance(account.positions_known + account.positions_unknown) as tolerance,
    coalesce(positions.long_value, 0) as long_value,
    coalesce(positions.short_value, 0) as short_value,
    coalesce(positions.unrealized, 0) as unrealized
from new_account_daily as account
left join core.broker_day as broker
    on account.account_id = broker.account_id and account.trading_date = broker.trading_date
left join positions
    on account.account_id = positions.account_id and account.trading_date = positions.trading_date
