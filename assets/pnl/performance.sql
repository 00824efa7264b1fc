-- Performance of every account, and of all accounts of a currency together (account_id is null), over five windows that end on `as_of`, any session:
-- MTD, QTD, YTD, 1Y (a year back) and ITD. Returns are net of fees. A session whose return is not known is a hole: counted, never filled; what links
-- returns (twr, annualized_return, the drawdown) is not known over one, and the other figures are of the sessions whose return is known. A year has 252
-- sessions, deviations are those of a sample, and the risk-free rate is that of pnl.risk_free. Ask for one `as_of`: every session has its own.
with windows as (
    select
        day.series,
        day.account_id,
        day.currency,
        day.trading_date as as_of,
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
        windows.series,
        windows.account_id,
        windows.currency,
        windows.as_of,
        windows.period,
        day.trading_date,
        day.total_pnl,
        day.unknown_pnl,
        day.unknown_return,
        day.daily_return,
        day.daily_return - risk_free.daily_rate as excess,
        sum(day.log_growth) over (
            partition by windows.series, windows.as_of, windows.period order by day.trading_date
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
        series, account_id, currency, as_of, period, trading_date, total_pnl, unknown_pnl, unknown_return, daily_return, excess,
        log_index,
        round(
            exp(log_index - greatest(max(log_index) over (partition by series, as_of, period order by trading_date), 0)) - 1, 10
        ) as drawdown
    from days
),

lowest as (
    select series, as_of, period, nullif(min(drawdown), 0) as drawdown
    from under_water
    group by series, as_of, period
),

troughs as (
    select lowest.series, lowest.as_of, lowest.period, min(under_water.trading_date) as trading_date
    from lowest
    inner join under_water
        on
            lowest.series = under_water.series and lowest.as_of = under_water.as_of and lowest.period = under_water.period
            and lowest.drawdown = under_water.drawdown
    group by lowest.series, lowest.as_of, lowest.period
),

measured as (
    select
        day.account_id,
        day.currency,
        day.as_of,
        day.period,
        min(day.trading_date) as from_date,
        count(day.daily_return) as sessions,
        sum(day.unknown_return) as holes,
        sum(day.unknown_return) = 0 and count(day.daily_return) > 0 as is_linked,
        case when sum(day.unknown_pnl) = 0 then sum(day.total_pnl) end as total_pnl,
        exp(max_by(day.log_index, day.trading_date)) as growth,
        avg(day.excess) as mean_excess,
        stddev_samp(day.daily_return) as deviation,
        sqrt(avg(power(least(day.excess, 0), 2))) as downside,
        min(day.drawdown) as max_drawdown,
        max(case when day.trading_date < trough.trading_date and day.drawdown = 0 then day.trading_date end) as peak,
        any_value(trough.trading_date) as trough,
        min(case when day.trading_date > trough.trading_date and day.drawdown = 0 then day.trading_date end) as recovered_on,
        max(day.daily_return) as best_day,
        min(day.daily_return) as worst_day,
        count(case when day.daily_return > 0 then 1 end) as gains,
        count(case when day.daily_return < 0 then 1 end) as losses,
        sum(case when day.daily_return > 0 then day.daily_return end) as gained,
        -sum(case when day.daily_return < 0 then day.daily_return end) as lost
    from under_water as day
    left join troughs as trough
        on day.series = trough.series and day.as_of = trough.as_of and day.period = trough.period
    group by day.series, day.account_id, day.currency, day.as_of, day.period
)

select
    measured.account_id,
    measured.currency,
    measured.as_of,
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
    try_cast(case when is_linked then max_drawdown end as decimal(18, 10)) as max_drawdown,
    case when is_linked and trough is not null then coalesce(peak, before.prev_trading_date) end as max_drawdown_from,
    case when is_linked then trough end as max_drawdown_to,
    case when is_linked then recovered_on end as recovered_on,
    try_cast(best_day as decimal(18, 10)) as best_day,
    try_cast(worst_day as decimal(18, 10)) as worst_day,
    try_cast(round(gains / nullif(gains + losses, 0), 10) as decimal(18, 10)) as win_rate,
    try_cast(round(gained / nullif(lost, 0), 10) as decimal(18, 10)) as profit_factor,
    try_cast(round(gained / gains, 10) as decimal(18, 10)) as average_gain,
    try_cast(round(-lost / losses, 10) as decimal(18, 10)) as average_loss
from measured
-- a fall from the start of the window began at the end of the session before it
left join core.calendar as before on measured.from_date = before.trading_date
