-- What somebody should look at, with its age in sessions: invariants that fail, differences from the broker, gaps, positions in doubt, findings.
with today as (
    select session_number from core.calendar
    where trading_date = $day
),

doubts as (
    select
        daily.account_id,
        daily.instrument_id,
        daily.symbol,
        daily.trading_date,
        daily.market_value,
        flag.name
    from pnl.position_daily as daily
    cross join unnest(daily.flags) as flag (name)
    where
        daily.trading_date = $day
        and flag.name in (
            'UNEXPLAINED_QUANTITY', 'PRICE_STALE', 'PRICE_IMPLIED', 'SPLIT_SUSPECT', 'REALIZED_UNKNOWN',
            'UNPRICED_FILLS', 'OPENED_UNCONFIRMED', 'NOT_ROLLED_BACK'
        )
),

-- the day before the flag was last raised: a doubt is as old as the sessions in which nothing else was said
cleared as (
    select
        doubts.account_id,
        doubts.instrument_id,
        doubts.name,
        max(before.trading_date) filter (where not list_contains(before.flags, doubts.name)) as last_clear,
        min(before.trading_date) as first_seen
    from doubts
    inner join pnl.position_daily as before
        on doubts.account_id = before.account_id and doubts.instrument_id = before.instrument_id
    group by doubts.account_id, doubts.instrument_id, doubts.name
),

-- what several readings of an evening say alike is one remark, the last one's; a failed read says of what it was
remarks as (
    select
        finding.severity,
        finding.check_name,
        finding.trading_date,
        finding.account_id,
        finding.instrument_id,
        coalesce(manifest.error, finding.message) as message,
        finding.value,
        finding.expected
    from quality.finding
    left join raw.extract_manifest as manifest
        on
            finding.check_name = 'fetch_failed'
            and finding.run_id = manifest.run_id
            and finding.account_id = manifest.account_id
            and contains(manifest.error, finding.message)
    where finding.trading_date = $day and finding.severity in ('FAIL', 'WARN')
    qualify
        row_number() over (
            partition by
                finding.severity, finding.check_name, finding.account_id, finding.instrument_id,
                regexp_replace(coalesce(manifest.error, finding.message), ' \(request [^)]*\)', '', 'g'), finding.value,
                finding.expected
            order by finding.run_id desc, manifest.error
        ) = 1
),

found as (
    select
        status as severity, check_name, trading_date, account_id, cast(null as varchar) as symbol,
        ours, broker, difference, tolerance, message, abs(difference) as weight, age_days
    from quality.reconciliation
    where status = 'BREAK' or (status = 'WARN' and trading_date = $day)
    union all
    select
        'GAP', gap.reason, gap.trading_date, gap.account_id, null, null, null, null, null,
        coalesce('covered by the P&L of ' || gap.covered_by_date, 'not covered yet'), null, null
    from quality.gap
    union all
    select
        'DOUBT', doubts.name, doubts.trading_date, doubts.account_id, doubts.symbol, null, null, null, null,
        case
            when doubts.name = 'PRICE_STALE' then coalesce('valued at the close of ' || held.closing_price_date, 'no close')
        end,
        abs(doubts.market_value),
        case
            when cleared.last_clear is not null
                then (
                    select count(*) - 1 from core.calendar
                    where calendar.trading_date > cleared.last_clear and calendar.trading_date <= $day
                )
            else (
                select count(*) - 1 from core.calendar
                where calendar.trading_date >= cleared.first_seen and calendar.trading_date <= $day
            )
        end
    from doubts
    inner join cleared
        on
            doubts.account_id = cleared.account_id
            and doubts.instrument_id = cleared.instrument_id
            and doubts.name = cleared.name
    left join core.position_eod as held
        on
            doubts.account_id = held.account_id
            and doubts.instrument_id = held.instrument_id
            and doubts.trading_date = held.trading_date
    union all
    select
        remarks.severity, remarks.check_name, remarks.trading_date, remarks.account_id, daily.symbol, null, null, null,
        null,
        remarks.message || coalesce(' (' || remarks.value || coalesce(', expected ' || remarks.expected, '') || ')', ''),
        null, 0
    from remarks
    left join pnl.position_daily as daily
        on
            remarks.account_id = daily.account_id
            and remarks.instrument_id = daily.instrument_id
            and remarks.trading_date = daily.trading_date
)

select
    found.severity,
    found.check_name,
    found.trading_date,
    coalesce(found.age_days, today.session_number - calendar.session_number) as age_days,
    found.account_id,
    found.symbol,
    found.ours,
    found.broker,
    found.difference,
    found.tolerance,
    found.message
from found
left join core.calendar on found.trading_date = calendar.trading_date
cross join today
order by
    case found.severity when 'FAIL' then 1 when 'BREAK' then 2 when 'GAP' then 3 when 'DOUBT' then 4 else 5 end,
    found.trading_date desc, found.weight desc nulls last, found.check_name, found.account_id, found.symbol,
    found.message
