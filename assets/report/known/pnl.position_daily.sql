-- The versions that were current then.
select * exclude (known_to)
from daybook.pnl.position_daily_as_known((select known_at from main.asked))
where
    account_id in (select account_id from main.asked_account)
    and trading_date <= (select trading_date from main.asked)
