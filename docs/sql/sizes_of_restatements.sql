-- How often and by how much are days restated, and for which reasons?
-- One row per reason. change is new total less old; the sum of absolute changes tells how far a first reading may be trusted. A restatement that left the total
-- alone (a flag, a quality) counts in restatements and adds 0.
with versions as (
    select
        account_id,
        trading_date,
        reason,
        total_pnl - lag(total_pnl) over (partition by account_id, trading_date order by version) as change,
        known_from - lag(known_from) over (partition by account_id, trading_date order by version) as delay,
        version
    from pnl.account_daily_version
)

select
    reason,
    count(*) as restatements,
    sum(change) as net_change,
    sum(abs(change)) as absolute_change,
    max(abs(change)) as largest,
    max(delay) as longest_delay
from versions
where version > 1
group by reason
order by absolute_change desc, reason asc
