-- Days that rest on what an earlier day says no longer: their reading of daily_realized_pnl is not the one last proven by then. A build takes them
-- after the days that it changed.
with proven as (
    select
        account_id,
        trading_date,
        pnl_semantics,
        semantics_source,
        last_value(proven_semantics ignore nulls) over (
            partition by account_id order by trading_date rows between unbounded preceding and current row
        ) as last_proven
    from pnl.pnl_semantics
)

select distinct trading_date
from proven
where semantics_source <> 'SETTING' and pnl_semantics <> coalesce(last_proven, 'since_prior_close')
