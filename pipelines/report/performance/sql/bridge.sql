-- From each account's equity before the period to its equity at the end: realized and unrealized P&L, P&L that is not split into the two, income and
-- fees, flows, and what is not explained. A part that is not known of every session is not known, nor the end of an account whose last session is not.
with ends as (
    select account_id, max(trading_date) as last_expected
    from main.performance_day
    where account_id is not null and trading_date between $first_date and $day
    group by account_id
),

sessions as (
    select
        history.account_id,
        history.trading_date,
        history.source,
        history.total_pnl,
        history.realized_pnl,
        history.unrealized_change,
        history.sod_equity,
        history.eod_equity,
        case when history.source <> 'SPAN' then history.flow end as flow,
        case history.source
            when 'BROKER' then history.net_pnl - history.total_pnl
            when 'SPAN' then null
            else daily.fees_and_other
        end as fees,
        min(history.trading_date) over (partition by history.account_id) as first_session,
        ends.last_expected as last_session,
        max(history.trading_date) over (partition by history.account_id) = ends.last_expected as is_to_its_end
    from pnl.account_history as history
    left join pnl.account_daily as daily
        on history.account_id = daily.account_id and history.trading_date = daily.trading_date
    inner join ends on history.account_id = ends.account_id
    where history.trading_date between $first_date and $day
),

parts as (
    select
        account_id,
        max(case when trading_date = last_session then eod_equity end) as last_equity,
        max(case when trading_date = first_session then sod_equity end) as first_equity,
        case when bool_and(is_to_its_end) and count(total_pnl) = count(*) then sum(total_pnl) end as total_pnl,
        case when bool_and(is_to_its_end) and count(realized_pnl) = count(*) then sum(realized_pnl) end as realized,
        case when bool_and(is_to_its_end) and count(unrealized_change) = count(*) then sum(unrealized_change) end as unrealized,
        case when bool_and(is_to_its_end) and count(fees) = count(*) then sum(fees) end as fees,
        case when bool_and(is_to_its_end) and count(flow) = count(*) then sum(flow) end as flow
    from sessions
    group by account_id
)

select
    account_id,
    first_equity as sod_equity,
    realized,
    unrealized,
    total_pnl - coalesce(realized + unrealized, 0) as unsplit,
    total_pnl,
    fees,
    flow,
    last_equity - first_equity - total_pnl - fees - flow as unexplained,
    last_equity as eod_equity
from parts
order by abs(total_pnl) desc nulls last, account_id
