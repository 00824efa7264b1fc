-- Every fill that tells of the days that are built, and of the night after them (a snapshot of half past three may show its fills), once: in its
-- latest form, and as one that does not count (`counts`) once a whole list that covers its time lacks it. The trading date is that of its instant.
-- Of a recovered day those of the morning after it, too.
with sessions as (
    select trading_date, prev_trading_date, owns_from, pre_open, regular_close, post_close
    from core.calendar
    where trading_date between $from_date and $to_date or prev_trading_date between $from_date and $to_date
),

owned as (
    select
        min(case when trading_date >= $from_date then owns_from end) as owns_from,
        -- the night after the last day belongs to the next one, until it opens at four
        greatest(
            max(case when prev_trading_date >= $from_date then pre_open else post_close end),
            (
                select max(recovered_at) from core.account_eod
                where trading_date between $from_date and $to_date
            )
        ) as owns_to
    from sessions
),

runs as (
    select
        run.run_id,
        run.finished_at
    from core.run
    inner join owned on run.finished_at > owned.owns_from
),

traded as (
    select distinct
        executions.account_id,
        executions.id
    from raw.executions
    inner join owned
        on executions.transaction_time > owned.owns_from and executions.transaction_time <= owned.owns_to
),

-- in whatever form, at whatever time: the latest one counts
observed as (
    select
        executions.account_id,
        executions.id,
        max_by(executions.order_id, runs.finished_at) filter (where executions.order_id is not null) as order_id,
        executions.instrument_id,
        executions.symbol,
        executions.underlying_instrument_id,
        executions.side,
        executions.quantity,
        executions.price,
        executions.transaction_time,
        min(runs.finished_at) as known_at,
        max(runs.finished_at) as last_observed_at
    from raw.executions
    inner join runs on executions.run_id = runs.run_id
    semi join traded on executions.account_id = traded.account_id and executions.id = traded.id
    group by all
),

latest as (
    select
        account_id,
        id,
        order_id,
        instrument_id,
        symbol,
        underlying_instrument_id,
        side,
        quantity,
        price,
        transaction_time,
        known_at,
        last_observed_at,
        min(known_at) over (partition by account_id, id) as first_observed_at
    from observed
    qualify row_number() over (partition by account_id, id order by last_observed_at desc, known_at desc) = 1
),

-- a list with a row that could not be read says nothing of what it lacks
lists as (
    select
        manifest.account_id,
        manifest.window_from,
        manifest.captured_at,
        runs.finished_at
    from raw.extract_manifest as manifest
    inner join runs on manifest.run_id = runs.run_id
    where manifest.endpoint = 'executions' and manifest.complete and coalesce(manifest.rows_quarantined, 0) = 0
),

withdrawn as (
    select
        latest.account_id,
        latest.id,
        min(lists.finished_at) as withdrawn_at
    from latest
    inner join lists
        on
            latest.account_id = lists.account_id
            and latest.last_observed_at < lists.finished_at
            and latest.transaction_time >= lists.window_from
            and latest.transaction_time <= lists.captured_at
    group by latest.account_id, latest.id
)

select
    latest.account_id,
    latest.id,
    latest.order_id,
    latest.instrument_id,
    latest.symbol,
    latest.underlying_instrument_id,
    latest.side,
    latest.quantity as filled_quantity,
    sessions.trading_date,
    latest.transaction_time,
    latest.price,
    case
        when latest.transaction_time <= sessions.pre_open or latest.transaction_time > sessions.regular_close
            then latest.transaction_time
    end as outside_at,
    withdrawn.withdrawn_at is null as counts,
    case when counts then latest.quantity else 0 end as quantity,
    case
        when latest.side = 'BUY' or not counts then 1
        when latest.side in ('SELL', 'SELL_SHORT') then -1
    end * case when counts then latest.quantity else 0 end as signed_quantity,
    greatest(latest.known_at, withdrawn.withdrawn_at) as known_at,
    latest.first_observed_at,
    latest.last_observed_at,
    withdrawn.withdrawn_at
from latest
cross join owned
left join withdrawn on latest.account_id = withdrawn.account_id and latest.id = withdrawn.id
inner join sessions
    on latest.transaction_time > sessions.owns_from and latest.transaction_time <= sessions.post_close
where latest.transaction_time > owned.owns_from and latest.transaction_time <= owned.owns_to
