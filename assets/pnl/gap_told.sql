-- Days of the books that cover sessions before them: how many of those the broker's history tells of, with its figures, and how many nobody knows.
-- Sessions on which the account was closed are no days of it.
with missed as (
    select
        covering.account_id,
        covering.trading_date as covered_by,
        told.total_pnl,
        told.realized_pnl,
        told.unrealized_pnl,
        told.known_from
    from pnl.account_daily as covering
    inner join core.calendar
        on covering.prev_trading_date < calendar.trading_date and calendar.trading_date < covering.trading_date
    left join pnl.missed_day as told
        on covering.account_id = told.account_id and calendar.trading_date = told.trading_date
    where
        covering.days_covered > 1
        and (
            told.total_pnl is not null
            or not exists (
                select 1 from account_closed as closed
                where
                    closed.account_id = covering.account_id
                    and closed.closed_on < calendar.trading_date and calendar.trading_date < closed.reopened_on
            )
        )
)

select
    account_id,
    covered_by,
    count(total_pnl) as sessions_told,
    count(*) - count(total_pnl) as sessions_unknown,
    sum(total_pnl) as total_pnl,
    sum(realized_pnl) as realized_pnl,
    sum(unrealized_pnl) as unrealized_pnl,
    max(known_from) as known_from
from missed
group by account_id, covered_by
