-- The broker's figures of a session beside each other, where its history alone tells of the session, and the equity that books begin with beside the
-- one that history ends with. As on the days of the books, figures are compared after what explains them: fees and income of a usual size, up to a
-- thousandth of the equity (nobody knows what was held, so the two can't be told apart). A flow has no second witness there, and is not checked.
with told as (
    select
        missed.account_id,
        missed.trading_date,
        missed.total_pnl,
        missed.net_pnl,
        case
            when abs(missed.net_pnl - missed.total_pnl) <= greatest(0.05, 0.001 * abs(missed.eod_equity))
                then missed.net_pnl - missed.total_pnl
            else 0
        end as fees_and_income,
        missed.day_pnl + missed.position_pnl as parts,
        missed.sod_equity,
        missed.eod_equity,
        missed.flow,
        coalesce(before.eod_equity, daily.eod_equity) as eod_before
    from pnl.missed_day as missed
    inner join core.calendar on missed.trading_date = calendar.trading_date
    left join pnl.missed_day as before
        on missed.account_id = before.account_id and calendar.prev_trading_date = before.trading_date
    left join pnl.account_daily as daily
        on missed.account_id = daily.account_id and calendar.prev_trading_date = daily.trading_date
),

compared as (
    select
        trading_date, account_id, 'realized_plus_unrealized_vs_net' as check_name,
        total_pnl + fees_and_income as ours, net_pnl as broker
    from told
    union all
    select
        trading_date, account_id, 'eod_minus_sod_vs_net' as check_name,
        case when abs(flow) <= 0.05 then eod_equity - sod_equity end as ours, net_pnl as broker
    from told
    union all
    select
        trading_date, account_id, 'day_plus_position_vs_net' as check_name, parts + net_pnl - total_pnl as ours, net_pnl as broker
    from told
    union all
    select trading_date, account_id, 'sod_vs_prior_eod' as check_name, sod_equity as ours, eod_before as broker
    from told
    union all
    -- the first day of the books, or after a gap
    select
        daily.trading_date, daily.account_id, 'sod_vs_prior_history' as check_name,
        daily.sod_equity as ours, before.eod_equity as broker
    from pnl.account_daily as daily
    inner join core.calendar on daily.trading_date = calendar.trading_date
    inner join pnl.missed_day as before
        on daily.account_id = before.account_id and calendar.prev_trading_date = before.trading_date
)

select
    trading_date,
    account_id,
    check_name,
    try_cast(ours as decimal(28, 10)) as ours,
    broker,
    try_cast(ours - broker as decimal(28, 10)) as difference,
    cast(0.05 as decimal(28, 10)) as tolerance,
    case
        when ours is null or broker is null then 'NOT_CHECKED'
        when abs(ours - broker) <= 0.05 then 'OK'
        else 'WARN'
    end as status,
    null as run_id
from compared
