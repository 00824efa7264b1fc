-- Sessions of an account as its periods sum them: a closed one (`daybook lock`) as it was closed, with what became known of it later counted on the
-- open day; the broker's sessions as it tells them now; and whether P&L and return are known. A return of -100 % loses all (`is_lost`).
with locks as (
    select
        daily.account_id,
        daily.trading_date,
        min(period_lock.locked_at) as locked_at
    from pnl.account_daily as daily
    inner join core.period_lock
        on
            daily.trading_date <= period_lock.locked_through
            and (period_lock.account_id is null or daily.account_id = period_lock.account_id)
    group by daily.account_id, daily.trading_date
),

-- a closed day keeps the figure that it was closed with (none, where nobody knew it: the day after it covered it); what is learnt later is an
-- adjustment of the open day
closed as (
    select
        locks.account_id,
        locks.trading_date,
        case when stored.account_id is null then 0 else stored.total_pnl end as total_pnl
    from locks
    left join pnl.account_daily_version as stored
        on
            locks.account_id = stored.account_id
            and locks.trading_date = stored.trading_date
            and stored.known_from <= locks.locked_at
            and locks.locked_at < stored.known_to
),

-- with how many days that were closed unknown it makes known, which are no holes from then on
adjusted as (
    select
        account_id,
        trading_date,
        sum(amount) as amount,
        count(*) filter (where was_unknown) as filled,
        count(*) filter (
            where was_unknown and date_trunc('week', trading_date) = date_trunc('week', for_trading_date)
        ) as filled_week,
        count(*) filter (
            where was_unknown and date_trunc('month', trading_date) = date_trunc('month', for_trading_date)
        ) as filled_month,
        count(*) filter (
            where was_unknown and date_trunc('quarter', trading_date) = date_trunc('quarter', for_trading_date)
        ) as filled_quarter,
        count(*) filter (
            where was_unknown and date_trunc('year', trading_date) = date_trunc('year', for_trading_date)
        ) as filled_year
    from pnl.prior_period_adjustment
    group by account_id, trading_date
),

sessions as (
    select
        session.account_id,
        session.trading_date,
        session.source,
        session.daily_return,
        session.is_opening,
        case
            -- the row that covers a missed session has what nobody knows of it
            when session.source is null or (session.source = 'BROKER' and session.total_pnl is null)
                then case when session.is_covered then 0 end
            when closed.account_id is null or session.source = 'BROKER' then session.total_pnl
            else closed.total_pnl - coalesce(gap_told.total_pnl, 0)
        end as own_pnl,
        session.source is null or (session.source = 'BROKER' and session.total_pnl is null) as is_missed,
        session.is_first,
        coalesce(adjusted.amount, 0) as prior_period_adjustment,
        coalesce(adjusted.filled, 0) as filled,
        coalesce(adjusted.filled_week, 0) as filled_week,
        coalesce(adjusted.filled_month, 0) as filled_month,
        coalesce(adjusted.filled_quarter, 0) as filled_quarter,
        coalesce(adjusted.filled_year, 0) as filled_year
    from account_session as session
    left join closed
        on session.account_id = closed.account_id and session.trading_date = closed.trading_date
    left join gap_told
        on session.account_id = gap_told.account_id and session.trading_date = gap_told.covered_by
    left join adjusted
        on session.account_id = adjusted.account_id and session.trading_date = adjusted.trading_date
)

select
    account_id,
    trading_date,
    source,
    -- an adjustment counts though the day's own figure is not known
    case when own_pnl is null then nullif(prior_period_adjustment, 0) else own_pnl + prior_period_adjustment end as total_pnl,
    prior_period_adjustment,
    date_trunc('week', trading_date) as week,
    date_trunc('month', trading_date) as month,
    date_trunc('quarter', trading_date) as quarter,
    date_trunc('year', trading_date) as year,
    -- what the first day made was made before anyone looked: it is no hole in the sums that start after it
    case when own_pnl is null and not is_first then 1 else 0 end as is_hole,
    is_hole - filled_week as holes_week,
    is_hole - filled_month as holes_month,
    is_hole - filled_quarter as holes_quarter,
    is_hole - filled_year as holes_year,
    is_hole - filled as holes,
    case when is_missed then 1 else 0 end as gap_days,
    case when own_pnl is not null and not is_missed and source <> 'BROKER' then 1 else 0 end as from_books,
    case when own_pnl is not null and not is_missed and source = 'BROKER' then 1 else 0 end as from_broker,
    case when own_pnl is not null and not is_missed then trading_date end as counted_on,
    case when daily_return is null and not is_opening then 1 else 0 end as unknown_return,
    case when daily_return = -1 then 1 else 0 end as is_lost,
    case when daily_return > -1 then ln(1 + cast(daily_return as double)) end as log_growth
from sessions
