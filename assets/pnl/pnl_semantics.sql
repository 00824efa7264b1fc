-- Which reading of daily_realized_pnl agrees with the account's own total of the day, and which total said so: balances first, then
-- portfolio-history. Both must be readable and differ, and one alone may be near enough (`proven_semantics`). The last verdict that was proven holds
-- for the account until another is.
with readings as (
    select
        account_id,
        trading_date,
        count(*) filter (
            where reported_realized is null or reported_unrealized is null or unrealized_step is null
        ) as unreadable,
        tolerance(count(*)) as tolerance,
        sum(reported_realized + unrealized_step) as since_cost,
        sum(reported_realized + reported_unrealized) as since_prior_close
    from position_step
    where days_covered = 1
    group by account_id, trading_date
),

compared as (
    select
        readings.account_id,
        readings.trading_date,
        abs(readings.since_cost - broker_day.balance_pnl) <= readings.tolerance as cost_fits_balances,
        abs(readings.since_prior_close - broker_day.balance_pnl) <= readings.tolerance as close_fits_balances,
        abs(readings.since_cost - broker_day.gross_pnl) <= readings.tolerance as cost_fits_history,
        abs(readings.since_prior_close - broker_day.gross_pnl) <= readings.tolerance as close_fits_history
    from readings
    inner join core.broker_day
        on readings.account_id = broker_day.account_id and readings.trading_date = broker_day.trading_date
    where
        broker_day.trading_date between $from_date and $to_date
        and readings.unreadable = 0 and readings.since_cost <> readings.since_prior_close
),

verdicts as (
    select
        account_id,
        trading_date,
        case
            when cost_fits_balances and not close_fits_balances then 'since_cost'
            when close_fits_balances and not cost_fits_balances then 'since_prior_close'
        end as by_balances,
        case
            when cost_fits_history and not close_fits_history then 'since_cost'
            when close_fits_history and not cost_fits_history then 'since_prior_close'
        end as by_history
    from compared
),

days as (
    select
        account_eod.account_id,
        account_eod.trading_date,
        coalesce(verdicts.by_balances, verdicts.by_history) as proven_semantics,
        case when verdicts.by_balances is not null then 'BALANCES' else 'PORTFOLIO_HISTORY' end as proven_by,
        max_by(
            coalesce(verdicts.by_balances, verdicts.by_history),
            case when coalesce(verdicts.by_balances, verdicts.by_history) is not null then account_eod.trading_date end
        ) over (
            partition by account_eod.account_id order by account_eod.trading_date
            rows between unbounded preceding and current row
        ) as last_proven
    from core.account_eod
    left join verdicts
        on account_eod.account_id = verdicts.account_id and account_eod.trading_date = verdicts.trading_date
    where account_eod.trading_date between $from_date and $to_date
)

select
    days.account_id,
    days.trading_date,
    days.proven_semantics,
    case
        when $realized <> 'auto' then $realized
        else coalesce(days.last_proven, earlier.proven_semantics, 'since_prior_close')
    end as pnl_semantics,
    case
        when $realized <> 'auto' then 'SETTING'
        when days.proven_semantics is not null then days.proven_by
        when coalesce(days.last_proven, earlier.proven_semantics) is not null then 'EARLIER_DAY'
        else 'DEFAULT'
    end as semantics_source
from days
left join input_earlier_verdict as earlier on days.account_id = earlier.account_id
