-- Why the row of a position's day has a new version: from what differs between it (`fresh`) and the version before (`current_version`).
select
    case
        -- the day was read after all, whenever that became known; the account's row is still as it was
        when
            (fresh.account_id, fresh.trading_date) in (
                select (told.account_id, told.trading_date)
                from pnl.account_daily as told
                inner join core.account_eod as day
                    on told.account_id = day.account_id and told.trading_date = day.trading_date
                where
                    told.trading_date between $from_date and $to_date
                    and told.grade = 'RECOVERED' and day.grade <> 'RECOVERED'
            )
            then 'LATE_SNAPSHOT'
        when fresh.inputs_known_at is null or fresh.inputs_known_at <= current_version.known_from
            then case when (fresh.flags is distinct from current_version.flags) then 'CLASSIFICATION' else 'CODE' end
        when
            (fresh.quantity is distinct from current_version.quantity)
            or (fresh.cost_basis is distinct from current_version.cost_basis) then 'LATE_SNAPSHOT'
        when
            (fresh.bought_quantity is distinct from current_version.bought_quantity)
            or (fresh.sold_quantity is distinct from current_version.sold_quantity) then 'EXECUTION_LATE'
        when
            (fresh.market_value is distinct from current_version.market_value)
            or (fresh.unrealized_change is distinct from current_version.unrealized_change) then 'PRICE_CORRECTION'
        when (fresh.realized_pnl is distinct from current_version.realized_pnl) then 'EXECUTION_LATE'
        else 'LATE_SNAPSHOT'
    end as reason
from new_position_daily as fresh
inner join pnl.position_daily as current_version
    on
        fresh.account_id = current_version.account_id
        and fresh.instrument_id = current_version.instrument_id
        and fresh.trading_date = current_version.trading_date
