-- From equity at the start of the day to equity at its end: carried positions, the day's trading, P&L that is not split into the two (events),
-- income and fees, flows, and what the books do not explain. A day that covers a gap has no bridge of its own.
with split as (
    select
        account_id,
        sum(position_pnl) as carried,
        sum(day_pnl) as traded
    from pnl.position_daily
    where trading_date = $day
    group by account_id
),

parts as (
    select
        daily.account_id,
        daily.sod_equity,
        coalesce(split.carried, 0) as carried,
        coalesce(split.traded, 0) as traded,
        coalesce(daily.total_pnl - coalesce(split.carried, 0) - coalesce(split.traded, 0), 0) as other_pnl,
        daily.fees_and_other,
        daily.flow,
        daily.eod_equity
    from pnl.account_daily as daily
    left join split on daily.account_id = split.account_id
    where
        daily.trading_date = $day
        and coalesce(daily.days_covered, 1) = 1
        and daily.sod_equity is not null
        and daily.eod_equity is not null
)

select
    account_id,
    sod_equity,
    carried,
    traded,
    other_pnl,
    coalesce(fees_and_other, 0) as fees_and_other,
    coalesce(flow, 0) as flow,
    eod_equity - sod_equity - carried - traded - other_pnl - coalesce(fees_and_other, 0) - coalesce(flow, 0)
        as unexplained,
    eod_equity
from parts
order by abs(eod_equity - sod_equity) desc, account_id
