-- Why the row of an account's day has a new version: from what differs between it (`fresh`) and the version before (`current_version`).
select
    case
        -- the day was read after all, whenever that became known
        when current_version.grade = 'RECOVERED' and fresh.grade <> 'RECOVERED' then 'LATE_SNAPSHOT'
        when fresh.inputs_known_at is null or fresh.inputs_known_at <= current_version.known_from
            then case
                when
                    (fresh.transferred_value is distinct from current_version.transferred_value)
                    or (fresh.positions_unknown is distinct from current_version.positions_unknown)
                    then 'CLASSIFICATION'
                -- as the positions of which the account's row is the sum
                else coalesce((
                    select min(moved.reason) from pnl.position_daily_version as moved
                    where
                        moved.account_id = fresh.account_id and moved.trading_date = fresh.trading_date
                        and moved.trading_date between $from_date and $to_date
                        and moved.known_from > current_version.known_from
                ), 'CODE')
            end
        when
            (fresh.total_pnl is not distinct from current_version.total_pnl)
            and (fresh.positions_unknown is not distinct from current_version.positions_unknown)
            then 'BROKER_HISTORY_CHANGED'
        when
            (fresh.bought_notional is distinct from current_version.bought_notional)
            or (fresh.sold_notional is distinct from current_version.sold_notional) then 'EXECUTION_LATE'
        when
            (fresh.unrealized_change is distinct from current_version.unrealized_change)
            and (fresh.realized_pnl is not distinct from current_version.realized_pnl) then 'PRICE_CORRECTION'
        else 'LATE_SNAPSHOT'
    end as reason
from new_account_daily as fresh
inner join pnl.account_daily as current_version
    on
        fresh.account_id = current_version.account_id
        and fresh.trading_date = current_version.trading_date
