-- Why a missed day's row has a new version: the broker's history is its only input.
select
    case
        when fresh.inputs_known_at > current_version.known_from then 'BROKER_HISTORY_CHANGED'
        else 'CODE'
    end as reason
from new_missed_day as fresh
inner join pnl.missed_day as current_version
    on fresh.account_id = current_version.account_id and fresh.trading_date = current_version.trading_date
