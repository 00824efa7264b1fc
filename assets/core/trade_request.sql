-- Every request to trade, and what came of it: a row per order or instruction that the answer named, or that a later list showed where no answer
-- came, else one per line that was asked for (refused whole, or nobody knows yet). Each stands as it was last seen, with its own reason where it was
-- refused, its fills and the lifecycle event that it led to; account_id, instrument_id and happened_on lead to the P&L of that position and day.
with ids as (
    select distinct account_id, id from request_named
),

last_orders as (
    select
        orders.account_id,
        orders.id,
        orders.client_order_id,
        orders.instrument_id,
        orders.symbol,
        orders.side,
        orders.quantity,
        orders.status,
        orders.average_fill_price
    from raw.orders
    inner join ids on orders.account_id = ids.account_id and orders.id = ids.id
    inner join core.run on orders.run_id = run.run_id
    qualify row_number() over (
        partition by orders.account_id, orders.id order by orders.updated_at desc nulls last, run.finished_at desc
    ) = 1
),

last_instructions as (
    select
        instructions.account_id,
        instructions.id,
        instructions.client_instruction_id,
        instructions.instrument_id,
        instructions.symbol,
        instructions.instruction_type,
        instructions.quantity,
        instructions.status,
        instructions.rejection_reason
    from raw.position_instructions as instructions
    inner join ids on instructions.account_id = ids.account_id and instructions.id = ids.id
    inner join core.run on instructions.run_id = run.run_id
    qualify row_number() over (
        partition by instructions.account_id, instructions.id
        order by instructions.updated_at desc nulls last, run.finished_at desc
    ) = 1
),

fills_observed as (
    select
        executions.account_id,
        executions.order_id,
        executions.quantity,
        executions.transaction_time
    from raw.executions
    inner join ids on executions.account_id = ids.account_id and executions.order_id = ids.id
    inner join core.run on executions.run_id = run.run_id
    qualify row_number() over (
        partition by executions.account_id, executions.id order by run.finished_at desc
    ) = 1
),

fills as (
    select
        observed.account_id,
        observed.order_id,
        count(*) as fills,
        try_cast(sum(observed.quantity) as decimal(24, 8)) as filled_quantity,
        max(calendar.trading_date) as filled_on
    from fills_observed as observed
    left join core.calendar
        on
            observed.transaction_time > calendar.owns_from
            and observed.transaction_time <= calendar.post_close
    group by observed.account_id, observed.order_id
),

events as (
    select
        account_id,
        instrument_id,
        instruction_id,
        max(kind) as kind,
        try_cast(sum(contracts) as decimal(24, 8)) as contracts,
        max(trading_date) as trading_date
    from core.lifecycle_event
    where instruction_id is not null
    group by account_id, instrument_id, instruction_id
)

select
    requests.run_id,
    requests.account_id,
    requests.trading_date,
    requests.requested_at,
    requests.operation,
    requests.outcome,
    requests.http_status,
    requests.error,
    case when requests.is_order then named.id end as order_id,
    case when not requests.is_order then named.id end as instruction_id,
    instructions.client_instruction_id,
    coalesce(orders.instrument_id, instructions.instrument_id, asked.instrument_id) as instrument_id,
    coalesce(orders.symbol, instructions.symbol, asked.symbol) as symbol,
    coalesce(orders.side, instructions.instruction_type, asked.what) as what,
    coalesce(orders.quantity, instructions.quantity, asked.quantity) as quantity,
    coalesce(orders.status, instructions.status) as status,
    coalesce(instructions.rejection_reason, case when orders.status = 'REJECTED' then refused.reason end)
        as rejection_reason,
    fills.fills,
    fills.filled_quantity,
    orders.average_fill_price,
    events.kind as event_kind,
    events.contracts as event_contracts,
    coalesce(fills.filled_on, events.trading_date) as happened_on
from request_sent as requests
left join request_named as named on requests.run_id = named.run_id
left join last_orders as orders
    on requests.is_order and named.account_id = orders.account_id and named.id = orders.id
left join last_instructions as instructions
    on not requests.is_order and named.account_id = instructions.account_id and named.id = instructions.id
left join request_refused as refused
    on
        orders.id is not null and requests.run_id = refused.run_id
        and coalesce(orders.client_order_id, orders.instrument_id) = refused.refused_key
left join request_asked as asked on named.id is null and requests.run_id = asked.run_id
left join fills on requests.is_order and named.account_id = fills.account_id and named.id = fills.order_id
left join events
    on
        instructions.account_id = events.account_id
        and instructions.instrument_id = events.instrument_id
        and instructions.client_instruction_id = events.instruction_id
        and instructions.status <> 'REJECTED'
