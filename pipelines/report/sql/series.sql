-- Session by session over the accounts, from the first that anybody knows: P&L before fees, how many accounts it is not known of (holes) and how many
-- the broker's history alone tells of, of how many it covers several sessions, P&L after fees, the return of that, exposure and what was traded.
-- Figures in different currencies are never added. What became of a missed session in a day that covers it is in that day.
with currency as (
    select count(distinct currency) <= 1 as is_one
    from main.performance_day
),

-- every account that a session should have a figure of, with the first session that it has one of
expected as (
    select trading_date, account_id
    from daybook.core.expected_day
    where account_id in (select account_id from main.asked_account) and trading_date <= $day
    union
    select trading_date, account_id
    from main.performance_day
    where account_id is not null and trading_date <= $day
),

firsts as (
    select account_id, min(trading_date) as trading_date
    from main.performance_day
    where account_id is not null
    group by account_id
),

told as (
    select
        history.account_id,
        history.trading_date,
        history.source,
        history.days_covered,
        history.total_pnl,
        history.realized_pnl,
        history.unrealized_change,
        history.net_pnl,
        history.flow,
        history.sod_equity,
        history.eod_equity,
        daily.bought_notional,
        daily.sold_notional,
        case when history.source = 'BROKER' then history.net_pnl - history.total_pnl else daily.fees_and_other end as fees
    from pnl.account_history as history
    left join pnl.account_daily as daily
        on history.account_id = daily.account_id and history.trading_date = daily.trading_date
    where history.trading_date <= $day
),

summed as (
    select
        expected.trading_date,
        count(*) as expected,
        count(told.total_pnl) as accounts,
        count(told.total_pnl) filter (where told.source = 'BROKER') as by_broker,
        count(*) filter (
            where told.total_pnl is null and firsts.trading_date is distinct from expected.trading_date
        ) as holes,
        count(*) filter (where told.days_covered > 1) as spanned,
        max(coalesce(told.days_covered, 1)) as sessions_covered,
        sum(told.total_pnl) as pnl,
        case when count(told.realized_pnl) = count(told.total_pnl) then sum(told.realized_pnl) end as realized,
        case when count(told.unrealized_change) = count(told.total_pnl) then sum(told.unrealized_change) end as unrealized,
        case when count(told.fees) = count(*) then sum(told.fees) end as fees,
        case when count(told.net_pnl) = count(*) then sum(told.net_pnl) end as net,
        case when count(told.flow) = count(*) then sum(told.flow) end as flow,
        case when count(told.sod_equity) = count(*) then sum(told.sod_equity) end as sod_equity,
        case when count(told.eod_equity) = count(*) then sum(told.eod_equity) end as equity,
        case when count(told.bought_notional) = count(*) then sum(told.bought_notional) end as bought,
        case when count(told.sold_notional) = count(*) then sum(told.sold_notional) end as sold
    from expected
    left join told on expected.account_id = told.account_id and expected.trading_date = told.trading_date
    left join firsts on expected.account_id = firsts.account_id
    group by expected.trading_date
),

returned as (
    select
        trading_date,
        cast(round(any_value(daily_return), 10) as decimal(18, 10)) as daily_return,
        bool_and(daily_return is null and unknown_return = 0) as is_opening
    from main.performance_day
    where account_id is null
    group by trading_date
),

held as (
    select
        trading_date,
        case when count(market_value) = count(*) then sum(abs(market_value)) end as gross,
        case when count(market_value) = count(*) then sum(market_value) end as net_exposure,
        count(*) as positions
    from pnl.position_daily
    where quantity <> 0 and coalesce(instrument_type, '') <> 'CASH'
    group by trading_date
),

in_books as (
    select trading_date, count(*) as accounts
    from pnl.account_daily
    group by trading_date
)

select
    summed.trading_date as date,
    case when currency.is_one then summed.pnl end as pnl,
    summed.holes,
    summed.spanned,
    summed.sessions_covered,
    case
        when currency.is_one and in_books.accounts = summed.expected
            then case when held.positions is null then 0 else held.gross end
    end as gross,
    case
        when currency.is_one and in_books.accounts = summed.expected
            then case when held.positions is null then 0 else held.net_exposure end
    end as net_exposure,
    case when currency.is_one then returned.daily_return end as daily_return,
    currency.is_one and coalesce(returned.is_opening, false) as is_opening,
    summed.accounts,
    summed.by_broker,
    case when currency.is_one and summed.holes = 0 then summed.realized end as realized,
    case when currency.is_one and summed.holes = 0 then summed.unrealized end as unrealized,
    case when currency.is_one then summed.fees end as fees,
    case when currency.is_one then summed.net end as net,
    case when currency.is_one then summed.flow end as flow,
    case when currency.is_one then summed.sod_equity end as sod_equity,
    case when currency.is_one then summed.equity end as equity,
    case when currency.is_one then summed.bought end as bought,
    case when currency.is_one then summed.sold end as sold
from summed
cross join currency
left join returned on summed.trading_date = returned.trading_date
left join held on summed.trading_date = held.trading_date
left join in_books on summed.trading_date = in_books.trading_date
order by summed.trading_date
