-- What do the books say differently than when the evening before was done, and why?
-- One row per restated day of an account: the total as it stood at the end of the run of the day before the last, and now. New days are not here, only days
-- that were in the books and changed. The reason is daybook's: LATE_SNAPSHOT, PRICE_CORRECTION, EXECUTION_LATE, CLASSIFICATION (somebody said so), CODE ...
with last_night as (
    select finished_at
    from quality.day
    where finished_at is not null
    order by trading_date desc
    limit 1 offset 1
),

before as (
    select version.*
    from pnl.account_daily_version as version, last_night
    where version.known_from <= last_night.finished_at and last_night.finished_at < version.known_to
)

select
    today.account_id,
    today.trading_date,
    before.total_pnl as total_pnl_then,
    today.total_pnl,
    today.total_pnl - before.total_pnl as change,
    today.reason,
    today.known_from
from pnl.account_daily as today
inner join before on today.account_id = before.account_id and today.trading_date = before.trading_date
where today.version > before.version
order by today.account_id, today.trading_date
