-- How often does each account make money, and are its good days larger than its bad ones?
-- Days whose P&L covers more than one session (after a gap) and unknown days are left out, because they are not days. payoff is the average gain over the average
-- loss; below 1, an account has to be right more often than wrong.
select
    account_id,
    count(*) as days,
    count(*) filter (where total_pnl > 0) as good_days,
    count(*) filter (where total_pnl < 0) as bad_days,
    cast(max(total_pnl) as decimal(28, 2)) as best,
    cast(min(total_pnl) as decimal(28, 2)) as worst,
    round(
        avg(cast(total_pnl as double)) filter (where total_pnl > 0)
        / nullif(-avg(cast(total_pnl as double)) filter (where total_pnl < 0), 0), 2
    ) as payoff
from pnl.account_daily
where days_covered = 1 and total_pnl is not null
group by account_id
order by account_id
