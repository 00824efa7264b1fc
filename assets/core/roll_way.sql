-- The ways in which a position may have rolled from one end of day to the next, where there is a choice, each with what was traded in it: which
-- splits near the row are in it (`splits`: those dated within the row, one of them, or none), and whether fills between a snapshot and the end of its
-- day count by the time of the snapshots or by trading date.
with undecided as (
    select account_id, day, instrument_id from split_near
    union
    select account_id, day, instrument_id from flow_between
    where after_start_by_time <> after_start_by_date or until_end_by_time <> until_end_by_date
),

choices as (
    select account_id, day, instrument_id, 'COVERING' as splits from undecided
    union all
    select account_id, day, instrument_id, cast(event_date as string) as splits from split_near
    union all
    select distinct account_id, day, instrument_id, 'NONE' as splits from split_near
),

chosen as (
    select
        choices.account_id,
        choices.day,
        choices.instrument_id,
        choices.splits,
        split_near.effective_date,
        coalesce(split_near.ratio, 1) as ratio
    from choices
    left join split_near
        on
            choices.account_id = split_near.account_id
            and choices.day = split_near.day
            and choices.instrument_id = split_near.instrument_id
            and case choices.splits
                when 'COVERING' then split_near.is_covering
                else choices.splits = cast(split_near.event_date as string)
            end
),

ratios as (
    select account_id, day, instrument_id, splits, product_of(array_agg(ratio)) as ratio
    from chosen
    group by account_id, day, instrument_id, splits
),

-- summed first: two that are alike are still two
traded_on as (
    select
        account_id,
        day,
        instrument_id,
        trading_date,
        after_start_by_time,
        after_start_by_date,
        until_end_by_time,
        until_end_by_date,
        sum(net_quantity) as net_quantity
    from flow_between
    group by all
),

flows as (
    select
        chosen.account_id,
        chosen.day,
        chosen.instrument_id,
        chosen.splits,
        flow.after_start_by_time,
        flow.after_start_by_date,
        flow.until_end_by_time,
        flow.until_end_by_date,
        flow.trading_date,
        flow.net_quantity,
        product_of(array_agg(case when chosen.effective_date > flow.trading_date then chosen.ratio else 1 end)) as ratio
    from chosen
    inner join traded_on as flow
        on
            chosen.account_id = flow.account_id
            and chosen.day = flow.day
            and chosen.instrument_id = flow.instrument_id
    group by all
),

windows as (
    select 1 as choice, true as start_by_time, true as end_by_time
    union all
    select 2 as choice, false as start_by_time, false as end_by_time
    union all
    select 3 as choice, true as start_by_time, false as end_by_time
    union all
    select 4 as choice, false as start_by_time, true as end_by_time
)

select
    ratios.account_id,
    ratios.day,
    ratios.instrument_id,
    ratios.splits,
    ratios.ratio,
    windows.choice,
    windows.start_by_time,
    windows.end_by_time,
    coalesce(sum(cast(flows.net_quantity as double) * flows.ratio), 0) as traded
from ratios
cross join windows
left join flows
    on
        ratios.account_id = flows.account_id
        and ratios.day = flows.day
        and ratios.instrument_id = flows.instrument_id
        and ratios.splits = flows.splits
        and case when windows.start_by_time then flows.after_start_by_time else flows.after_start_by_date end
        and case when windows.end_by_time then flows.until_end_by_time else flows.until_end_by_date end
group by all
