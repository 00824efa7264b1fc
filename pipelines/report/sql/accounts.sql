-- Every account that the day was expected to have, with its P&L of the day and of its periods, return, equity and exposure.
with names as (
    select
        account_id,
        short_name
    from raw.accounts
    qualify row_number() over (partition by account_id order by run_id desc) = 1
),

currencies as (
    select
        account_id,
        max(currency) as currency
    from core.broker_day
    group by account_id
)

select
    expected.account_id,
    names.short_name as name,
    case
        when expected.is_complete and daily.grade = 'RECOVERED' then 'RECOVERED'
        when expected.is_complete then 'COMPLETE'
        when daily.grade = 'RECOVERED' then 'RECOVERED IN PART'
        when expected.is_known then 'INSTRUCTIONS UNKNOWN'
        else expected.reason
    end as state,
    currencies.currency,
    daily.total_pnl as day,
    case when daily.account_id is not null then coalesce(daily.days_covered, 1) end as days_covered,
    period.mtd,
    period.ytd,
    period.itd,
    daily.daily_return * 100 as day_return,
    period.twr_mtd * 100 as mtd_return,
    period.twr_ytd * 100 as ytd_return,
    period.drawdown * 100 as drawdown,
    coalesce(daily.eod_equity, broker_day.equity) as equity,
    exposure.gross,
    exposure.net,
    exposure.gross_pct,
    exposure.net_pct,
    daily.quality,
    daily.positions_unknown
from core.expected_day as expected
left join names on expected.account_id = names.account_id
left join currencies on expected.account_id = currencies.account_id
left join pnl.account_daily as daily
    on expected.account_id = daily.account_id and expected.trading_date = daily.trading_date
left join pnl.period
    on expected.account_id = period.account_id and expected.trading_date = period.trading_date
left join pnl.exposure_daily as exposure
    on expected.account_id = exposure.account_id and expected.trading_date = exposure.trading_date
left join core.broker_day
    on expected.account_id = broker_day.account_id and expected.trading_date = broker_day.trading_date
where expected.trading_date = $day
order by abs(daily.total_pnl) desc nulls first, expected.account_id
