-- Every request to trade, and what came of it: a row per order or instruction that the answer named, or that a later list showed where no answer
-- came, and one without either where there is none (refused whole, or nobody knows yet). Each stands as it was last seen, with its fills and the
-- lifecycle event that it led to; account_id, instrument_id and happened_on lead to the P&L of that position and day.
with requests as (
    select
        run.run_id,
        run.trading_date,
        run.started_at as requested_at,
        manifest.account_id,
        manifest.endpoint as operation,
        manifest.endpoint like 'close%' as is_order,
        coalesce(resolved.status, manifest.status) as outcome,
        manifest.http_status,
        manifest.error,
        resolved.findings
    from raw.extract_run as landed
    inner join core.run on landed.run_id = run.run_id
    inner join raw.extract_manifest as manifest on landed.run_id = manifest.run_id
    left join core.run as later on landed.run_id || '-resolved' = later.run_id
    left join raw.extract_manifest as resolved on later.run_id = resolved.run_id
    where landed.trigger = 'trading' and landed.run_id not like '%-resolved'
),

named as (
    select requests.run_id, requests.account_id, orders.id
    from requests
    inner join raw.orders on requests.run_id = orders.run_id
    union
    select requests.run_id, requests.account_id, instructions.id
    from requests
    inner join raw.position_instructions as instructions on requests.run_id = instructions.run_id
    union
    select noticed.run_id, noticed.account_id, noticed.item ->> 'value'
    from (
        select run_id, account_id, unnest(cast(findings as json[])) as item from requests where findings is not null
    ) as noticed
    where (noticed.item ->> 'check_name') = 'trade_found'
),

ids as (
    select distinct account_id, id from named
),

last_orders as (
    select orders.*
    from raw.orders
    inner join ids on orders.account_id = ids.account_id and orders.id = ids.id
    inner join core.run on orders.run_id = run.run_id
    qualify row_number() over (
        partition by orders.account_id, orders.id order by orders.updated_at desc nulls last, run.finished_at desc
    ) = 1
),

last_instructions as (
    select instructions.*
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
    coalesce(orders.instrument_id, instructions.instrument_id) as instrument_id,
    coalesce(orders.symbol, instructions.symbol) as symbol,
    coalesce(orders.side, instructions.instruction_type) as what,
    coalesce(orders.quantity, instructions.quantity) as quantity,
    coalesce(orders.status, instructions.status) as status,
    instructions.rejection_reason,
    fills.fills,
    fills.filled_quantity,
    orders.average_fill_price,
    events.kind as event_kind,
    events.contracts as event_contracts,
    coalesce(fills.filled_on, events.trading_date) as happened_on
from requests
left join named on requests.run_id = named.run_id
left join last_orders as orders
    on requests.is_order and named.account_id = orders.account_id and named.id = orders.id
left join last_instructions as instructions
    on not requests.is_order and named.account_id = instructions.account_id and named.id = instructions.id
left join fills on requests.is_order and named.account_id = fills.account_id and named.id = fills.order_id
left join events
    on
        instructions.account_id = events.account_id
        and instructions.instrument_id = events.instrument_id
        and instructions.client_instruction_id = events.instruction_id
        and instructions.status <> 'REJECTED'
