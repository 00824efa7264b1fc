-- The versions that were current then.
select * exclude (known_to)
from daybook.pnl.position_daily_as_known(getvariable('known_at'))
where
    account_id in (select account_id from main.asked_account)
    and trading_date <= getvariable('trading_date')
