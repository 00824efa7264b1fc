-- Performance of every account, and of all accounts of a currency together (account_id is null), over five windows that end on `as_of`, any session:
-- MTD, QTD, YTD, 1Y (a year back) and ITD. Returns are net of fees. A session whose return is not known is a hole: counted, never filled; what links
-- returns (twr, annualized_return, the drawdown) is not known over one, and the other figures are of the sessions whose return is known. A year has 252
-- sessions, deviations are those of a sample, and the risk-free rate is that of pnl.risk_free. Every session has its own, so ask for one `as_of` by its
-- value, or for the last one of each (`is_latest`).
with windows as (
    select
        day.series,
        day.account_id,
        day.currency,
        day.trading_date as as_of,
        day.trading_date = max(day.trading_date) over (partition by day.series) as is_latest,
        named.period,
        cast(
            case named.period
                when 'MTD' then date_trunc('month', day.trading_date)
                when 'QTD' then date_trunc('quarter', day.trading_date)
                when 'YTD' then date_trunc('year', day.trading_date)
                when '1Y' then day.trading_date - interval 1 year + interval 1 day
                else '0001-01-01'
            end as date
        ) as first_date
    from performance_day as day
    cross join (values ('MTD'), ('QTD'), ('YTD'), ('1Y'), ('ITD')) as named (period)
),

days as (
    select
        windows.account_id,
        windows.currency,
        windows.as_of,
        windows.is_latest,
        windows.period,
        day.trading_date,
        day.total_pnl,
        day.unknown_pnl,
        day.unknown_return,
        day.daily_return,
        day.daily_return - risk_free.daily_rate as excess,
        sum(day.log_growth) over (
            partition by windows.account_id, windows.currency, windows.as_of, windows.is_latest, windows.period
            order by day.trading_date
        ) as log_index
    from windows
    inner join performance_day as day
        on
            windows.series = day.series
            and windows.first_date <= day.trading_date and windows.as_of >= day.trading_date
    cross join (select pow(1 + cast(yearly_rate as double), 1.0 / 252) - 1 as daily_rate from pnl.risk_free) as risk_free
),

under_water as (
    select
        account_id, currency, as_of, is_latest, period, trading_date, total_pnl, unknown_pnl, unknown_return, daily_return, excess,
        log_index,
        round(exp(log_index - greatest(max(log_index) over to_date, 0)) - 1, 10) as drawdown
    from days
    window to_date as (partition by account_id, currency, as_of, is_latest, period order by trading_date)
),

-- each session with the last one at a high up to it, and the next one after it
highs as (
    select
        account_id, currency, as_of, is_latest, period, trading_date, total_pnl, unknown_pnl, unknown_return, daily_return, excess,
        log_index, drawdown,
        max(case when drawdown = 0 then trading_date end) over to_date as high_before,
        min(case when drawdown = 0 then trading_date end) over from_date as high_after
    from under_water
    window
        to_date as (partition by account_id, currency, as_of, is_latest, period order by trading_date),
        from_date as (
            partition by account_id, currency, as_of, is_latest, period order by trading_date
            rows between current row and unbounded following
        )
),

measured as (
    select
        account_id,
        currency,
        as_of,
        is_latest,
        period,
        min(trading_date) as from_date,
        count(daily_return) as sessions,
        sum(unknown_return) as holes,
        sum(unknown_return) = 0 and count(daily_return) > 0 as is_linked,
        case when sum(unknown_pnl) = 0 then sum(total_pnl) end as total_pnl,
        exp(max_by(log_index, trading_date)) as growth,
        avg(excess) as mean_excess,
        stddev_samp(daily_return) as deviation,
        -- not least(): that passes over a session whose return is not known, and the mean would count it
        sqrt(avg(case when excess < 0 then power(excess, 2) when excess >= 0 then 0 end)) as downside,
        -- of the deepest sessions the first
        min({ 'drawdown': drawdown, 'reached': trading_date, 'high_before': high_before, 'high_after': high_after }) as deepest,
        max(daily_return) as best_day,
        min(daily_return) as worst_day,
        count(case when daily_return > 0 then 1 end) as gains,
        count(case when daily_return < 0 then 1 end) as losses,
        sum(case when daily_return > 0 then daily_return end) as gained,
        -sum(case when daily_return < 0 then daily_return end) as lost
    from highs
    group by account_id, currency, as_of, is_latest, period
)

select
    measured.account_id,
    measured.currency,
    measured.as_of,
    measured.is_latest,
    measured.period as "window",
    measured.from_date,
    measured.sessions,
    cast(measured.holes as bigint) as holes,
    try_cast(measured.total_pnl as decimal(28, 10)) as total_pnl,
    try_cast(case when is_linked then round(growth - 1, 10) end as decimal(18, 10)) as twr,
    try_cast(case when is_linked then round(pow(growth, 252.0 / sessions) - 1, 10) end as decimal(28, 10)) as annualized_return,
    try_cast(round(deviation * sqrt(252), 10) as decimal(18, 10)) as volatility,
    try_cast(round(mean_excess / nullif(deviation, 0) * sqrt(252), 10) as decimal(18, 10)) as sharpe,
    try_cast(round(mean_excess / nullif(downside, 0) * sqrt(252), 10) as decimal(18, 10)) as sortino,
    try_cast(case when is_linked then deepest['drawdown'] end as decimal(18, 10)) as max_drawdown,
    case when is_linked and deepest['drawdown'] < 0 then coalesce(deepest['high_before'], before.prev_trading_date) end
        as max_drawdown_from,
    case when is_linked and deepest['drawdown'] < 0 then deepest['reached'] end as max_drawdown_to,
    case when is_linked and deepest['drawdown'] < 0 then deepest['high_after'] end as recovered_on,
    try_cast(best_day as decimal(18, 10)) as best_day,
    try_cast(worst_day as decimal(18, 10)) as worst_day,
    try_cast(round(gains / nullif(gains + losses, 0), 10) as decimal(18, 10)) as win_rate,
    try_cast(round(gained / nullif(lost, 0), 10) as decimal(18, 10)) as profit_factor,
    try_cast(round(gained / gains, 10) as decimal(18, 10)) as average_gain,
    try_cast(round(-lost / losses, 10) as decimal(18, 10)) as average_loss
from measured
-- a fall from the start of the window began at the end of the session before it
left join core.calendar as before on measured.from_date = before.trading_date
