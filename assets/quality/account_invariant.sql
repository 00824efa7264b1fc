-- What has to hold of each account's day and does not: it is the sum of its positions, its equity rolls forward, and periods sum its days (of one account
-- each evening, in turn: a period sums a whole history, and an evening's work must not grow with that).
select
    account.trading_date,
    account.account_id,
    account.run_id,
    'positions_sum_to_account' as check_name,
    cast(account.total_pnl as string) as value,
    cast(sum(daily.total_pnl) + account.unattributed_pnl as string) as expected,
    'the positions do not add up to the account' as message
from new_account_daily as account
inner join new_position_daily as daily
    on account.account_id = daily.account_id and account.trading_date = daily.trading_date
group by account.trading_date, account.account_id, account.run_id, account.total_pnl, account.unattributed_pnl
having differs(account.total_pnl, sum(daily.total_pnl) + account.unattributed_pnl)
union all
select
    trading_date,
    account_id,
    run_id,
    'equity_rolls_forward' as check_name,
    cast(eod_equity - sod_equity - flow as string) as value,
    cast(broker_net as string) as expected,
    'equity at the end less equity at the start less flow is not the net P&L' as message
from new_account_daily
where sod_equity is not null and differs(eod_equity - sod_equity - flow, broker_net)
union all
select
    exposure.trading_date,
    exposure.account_id,
    null as run_id,
    'exposure_adds_up' as check_name,
    cast(exposure.net as string) as value,
    cast(exposure.long_market_value + exposure.short_market_value as string) as expected,
    'net exposure is not long plus short' as message
from pnl.exposure_daily as exposure
where
    exposure.trading_date between $from_date and $to_date
    and (
        exposure.net <> exposure.long_market_value + exposure.short_market_value
        or exposure.gross <> exposure.long_market_value - exposure.short_market_value
    )
union all
select
    period.trading_date,
    period.account_id,
    null as run_id,
    'period_sums_days' as check_name,
    cast(period.itd as string) as value,
    cast(period.itd_before + history.total_pnl as string) as expected,
    'inception to date is not that of the session before plus the session' as message
from (
    select
        account_id,
        trading_date,
        itd,
        prior_period_adjustment,
        lag(itd) over (partition by account_id order by trading_date) as itd_before
    from pnl.period
    where account_id = $account_in_turn
) as period
inner join pnl.account_history as history
    on period.account_id = history.account_id and period.trading_date = history.trading_date
where
    period.trading_date between $from_date and $to_date
    and period.itd <> period.itd_before + history.total_pnl + period.prior_period_adjustment
    and not exists (
        select 1 from core.period_lock
        where history.trading_date <= period_lock.locked_through
    )
