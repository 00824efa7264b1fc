-- How much of each account's P&L rests on something weaker than its own fills?
-- One row per account and quality, over the last three months. EXACT: from fills or an unchanged position; REPORTED: the broker's own daily figure; ASSUMED:
-- traded at the day's price; IMPLIED: what the account's total leaves; UNKNOWN: null, and in no sum. share is the part of all absolute P&L.
select
    account_id,
    quality,
    count(*) as position_days,
    sum(abs(total_pnl)) as absolute_pnl,
    round(
        100 * cast(sum(abs(total_pnl)) as double)
        / nullif(cast(sum(sum(abs(total_pnl))) over (partition by account_id) as double), 0), 2
    ) as share
from pnl.position_daily
where
    trading_date in (
        select trading_date from quality.day
        where trading_date > (select max(trading_date) - interval 3 months from quality.day)
    )
group by account_id, quality
order by account_id asc, position_days desc, quality asc
