-- What was traded through daybook: requests of the day, and earlier ones whose orders were filled or whose instructions took effect on it.
select
    request.operation,
    request.account_id,
    request.symbol,
    request.what,
    request.quantity,
    request.status,
    -- an order that waits, or an instruction that nobody has accepted yet, is sent and not done
    case
        when
            request.outcome in ('DONE', 'FOUND') and request.status in (
                'SENT', 'CANCEL_REQUESTED', 'PENDING_NEW', 'QUEUED', 'PENDING_TRIGGER', 'NEW', 'PARTIALLY_FILLED',
                'PENDING_CANCEL', 'PENDING_REPLACE', 'STOPPED', 'SUSPENDED', 'CALCULATED'
            )
            then 'SENT'
        else request.outcome
    end as outcome,
    request.filled_quantity,
    request.average_fill_price,
    request.event_kind,
    daily.total_pnl,
    -- the answer's own error is of what it refused, not of the rows that it took
    coalesce(
        request.rejection_reason,
        case
            when coalesce(request.status, 'REJECTED') in ('REJECTED', 'ENGINE_REJECTED', 'CANCEL_FAILED') then request.error
        end
    ) as reason,
    request.requested_at,
    coalesce(request.order_id, request.instruction_id) as id,
    request.run_id
from core.trade_request as request
left join pnl.position_daily as daily
    on
        request.account_id = daily.account_id
        and request.instrument_id = daily.instrument_id
        and request.happened_on = daily.trading_date
        and daily.trading_date = $day
where request.trading_date = $day or request.happened_on = $day
order by request.requested_at, request.run_id, request.account_id, request.symbol, id
