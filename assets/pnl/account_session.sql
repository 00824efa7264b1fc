-- Every session of an account from its first known one, as its periods and its performance count them: the rows of its history, and the sessions of
-- which there is none (no `source`). `is_covered`: the P&L of the session is in a later row. `is_opening`: it has no return and needs none, for it is
-- the first, or nothing was in the account yet.
with told as (
    select
        account_id,
        trading_date,
        source,
        total_pnl,
        net_pnl,
        sod_equity,
        flow,
        daily_return,
        lag(trading_date) over (partition by account_id order by trading_date) as told_before
    from pnl.account_history
),

ends as (
    select
        account_id,
        min(case when source <> 'BROKER' then trading_date end) as first_of_books,
        max(case when source <> 'BROKER' then trading_date end) as last_of_books,
        max(trading_date) as last_told
    from told
    group by account_id
),

between_told as (
    select
        told.account_id,
        told.told_before,
        told.trading_date
    from told
    inner join core.calendar on told.trading_date = calendar.trading_date
    where told.told_before < calendar.prev_trading_date
),

sessions as (
    select
        account_id,
        trading_date,
        source,
        total_pnl,
        net_pnl,
        sod_equity,
        flow,
        daily_return
    from told
    union all
    select
        between_told.account_id,
        calendar.trading_date,
        null as source,
        null as total_pnl,
        null as net_pnl,
        null as sod_equity,
        null as flow,
        null as daily_return
    from between_told
    inner join core.calendar
        on between_told.told_before < calendar.trading_date and calendar.trading_date < between_told.trading_date
    where
        not exists (
            select 1 from account_closed as closed
            where
                closed.account_id = between_told.account_id
                and closed.closed_on < calendar.trading_date and calendar.trading_date < closed.reopened_on
        )
    union all
    -- missed, and not covered yet
    select
        expected.account_id,
        expected.trading_date,
        null as source,
        null as total_pnl,
        null as net_pnl,
        null as sod_equity,
        null as flow,
        null as daily_return
    from core.expected_day as expected
    inner join ends on expected.account_id = ends.account_id and expected.trading_date > ends.last_told
    where not expected.is_known
)

select
    sessions.account_id,
    sessions.trading_date,
    sessions.source,
    sessions.total_pnl,
    sessions.net_pnl,
    sessions.sod_equity,
    sessions.flow,
    sessions.daily_return,
    row_number() over so_far = 1 as is_first,
    coalesce(sessions.trading_date > ends.first_of_books and sessions.trading_date < ends.last_of_books, false)
    and coalesce(sessions.source = 'BROKER', true) as is_covered,
    sessions.daily_return is null
    and (is_first or count(case when sessions.sod_equity is distinct from 0 then 1 end) over so_far = 0) as is_opening
from sessions
inner join ends on sessions.account_id = ends.account_id
window so_far as (partition by sessions.account_id order by sessions.trading_date)
