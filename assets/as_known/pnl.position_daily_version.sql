-- Every version that existed by then; the one that was current had no end yet.
select
    * replace (
        case when known_to > getvariable('known_at') then timestamptz '9999-12-31 00:00:00+00' else known_to end
            as known_to
    )
from daybook.pnl.position_daily_version
where
    known_from <= getvariable('known_at')
    and account_id in (select account_id from main.asked_account)
    and trading_date <= getvariable('trading_date')
