-- What performance is measured on, session by session: each account's P&L and return, and those of all accounts of a currency together (account_id is
-- null). Of those an account is a part from its first session with figures on; a session that is not known of one of them is not known of them.
with sessions as (
    select
        session.account_id,
        coalesce(account_currency.currency, 'UNKNOWN') as currency,
        session.trading_date,
        session.total_pnl,
        session.net_pnl,
        session.sod_equity,
        session.flow,
        session.daily_return,
        session.is_opening,
        session.is_first,
        session.total_pnl is null and not session.is_first and not session.is_covered as is_hole
    from account_session as session
    left join account_currency on session.account_id = account_currency.account_id
),

together as (
    select
        currency,
        trading_date,
        sum(total_pnl) as total_pnl,
        count(case when is_hole then 1 end) as holes,
        count(*) as accounts,
        count(case when is_first and net_pnl is null then 1 end) as accounts_opening,
        count(net_pnl + sod_equity + flow) as accounts_known,
        cast(sum(net_pnl) as double) as net_pnl,
        cast(sum(sod_equity) as double) as sod_equity,
        cast(sum(sod_equity) + greatest(sum(flow), 0) as double) as base
    from sessions
    group by currency, trading_date
),

returned as (
    select
        currency,
        trading_date,
        total_pnl,
        holes,
        sod_equity,
        case
            when accounts_known = accounts - accounts_opening and sod_equity > 0 and net_pnl >= -base
                then try_cast(round(net_pnl / base, 10) as decimal(18, 10))
        end as daily_return
    from together
)

select
    account_id,
    currency,
    account_id as series,
    trading_date,
    total_pnl,
    cast(is_hole as integer) as unknown_pnl,
    cast(daily_return as double) as daily_return,
    case
        when daily_return > -1 then ln(1 + cast(daily_return as double))
        -- all is lost, for good
        when daily_return = -1 then cast('-Infinity' as double)
        else 0
    end as log_growth,
    case when daily_return is null and not is_opening then 1 else 0 end as unknown_return
from sessions
union all
select
    null as account_id,
    currency,
    'all in ' || currency as series,
    trading_date,
    total_pnl,
    cast(holes > 0 as integer) as unknown_pnl,
    cast(daily_return as double) as daily_return,
    case
        when daily_return > -1 then ln(1 + cast(daily_return as double))
        when daily_return = -1 then cast('-Infinity' as double)
        else 0
    end as log_growth,
    case
        when daily_return is not null then 0
        when row_number() over so_far = 1 or count(case when sod_equity is distinct from 0 then 1 end) over so_far = 0 then 0
        else 1
    end as unknown_return
from returned
window so_far as (partition by currency order by trading_date)
