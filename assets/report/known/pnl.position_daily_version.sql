-- Every version that existed by then; the one that was current had no end yet.
select
    * replace (
        case when known_to > (select known_at from main.asked) then timestamptz '9999-12-31 00:00:00+00' else known_to end
            as known_to
    )
from daybook.pnl.position_daily_version
where
    known_from <= (select known_at from main.asked)
    and account_id in (select account_id from main.asked_account)
    and trading_date <= (select trading_date from main.asked)
