-- From equity at the start of the day to equity at its end, of every account that was expected: carried positions, the day's trading, other P&L (of
-- events, such as cash of exercise, assignment and fractions, and what nothing splits, as on an account's first day), income and fees, flows, and what
-- the books do not explain. A day that covers missed sessions has a bridge where the broker told of those; else its P&L is that of all of them, and no
-- part of the day's.
with split as (
    select
        account_id,
        sum(position_pnl) as carried,
        sum(day_pnl) as traded,
        sum(total_pnl - coalesce(position_pnl, 0) - coalesce(day_pnl, 0)) filter (
            where
            position_pnl + day_pnl is not null
            or list_has_any(flags, [
                'EXERCISED', 'EXERCISED_PARTIAL', 'ASSIGNED_INFERRED', 'FROM_EXERCISE', 'FROM_ASSIGNMENT', 'EXPIRED_WORTHLESS',
                'LAPSED_BY_INSTRUCTION', 'CASH_IN_LIEU', 'CASH_SETTLEMENT', 'TRANSFER_IN', 'TRANSFER_OUT', 'ID_CHANGE', 'SPLIT'
            ])
        ) as events
    from pnl.position_daily
    where trading_date = $day
    group by account_id
),

parts as (
    select
        expected.account_id,
        history.days_covered,
        daily.sod_equity,
        case history.source when 'BOOKS' then coalesce(split.carried, 0) when 'REMAINDER' then 0 end as carried,
        case history.source when 'BOOKS' then coalesce(split.traded, 0) when 'REMAINDER' then 0 end as traded,
        case history.source when 'BOOKS' then coalesce(split.events, 0) when 'REMAINDER' then 0 end as events,
        case when history.source <> 'SPAN' then history.total_pnl end as total_pnl,
        case when history.source <> 'SPAN' then daily.fees_and_other end as fees_and_other,
        case when history.source <> 'SPAN' then daily.flow end as flow,
        daily.eod_equity
    from core.expected_day as expected
    left join pnl.account_daily as daily
        on expected.account_id = daily.account_id and expected.trading_date = daily.trading_date
    left join pnl.account_history as history
        on daily.account_id = history.account_id and daily.trading_date = history.trading_date
    left join split on daily.account_id = split.account_id
    where expected.trading_date = $day
)

select
    account_id,
    days_covered,
    sod_equity,
    carried,
    traded,
    total_pnl - carried - traded as other_pnl,
    events,
    fees_and_other,
    flow,
    eod_equity - sod_equity - total_pnl - fees_and_other - flow as unexplained,
    eod_equity
from parts
where exists (select 1 from parts as known where known.sod_equity is not null and known.eod_equity is not null)
order by abs(eod_equity - sod_equity) desc nulls first, account_id
