-- What has to hold for each quality word of a position's P&L, by the source that its total comes from: the best source whose conditions a row meets
-- (pnl.pnl_source, pnl.pnl_total) gives the word. An account's word is the worst of its rows', and ASSUMED at best where its fills were not read.
-- A day that was recovered in the morning after it is under the same conditions: its quantity is one that fills lead to from the end of day before
-- and from there to the snapshot of the morning, its value the official close of the day; what does not meet them has no quantity or no value, and
-- so has no total. Where that close is known only as the broker restated it for a split, the value is a rounded one (`is_weaker`).
select
    'EXECUTIONS' as total_source,
    false as is_weaker,
    'EXACT' as quality,
    'Every fill between the two ends of day was read and has a price, quantities agree to the last share with fills, splits, '
    || 'proven events and adjustments, and value and unit of the price are known: one total is possible, '
    || 'V1 - V0 + cash - value moved.' as proof
union all
select
    'REPORTED' as total_source,
    false as is_weaker,
    'REPORTED' as quality,
    'The broker reported both daily figures of the row for this one day, in the reading that its own account total '
    || 'proves, or that is set.' as proof
union all
select
    'EXECUTIONS' as total_source,
    true as is_weaker,
    'ASSUMED' as quality,
    'As EXACT, but that an expired option was in or out of the money is told by less than a close of what it is on: by its own '
    || 'last price, a last price of what it is on, or its closes before and after; or that a traded option''s multiplier is the '
    || 'usual 100, which neither contract, cost nor value confirm; or that the close of a recovered day is known only in the '
    || 'shares of after a split, as the broker rounded it.' as proof
union all
select
    'SNAPSHOT' as total_source,
    false as is_weaker,
    'ASSUMED' as quality,
    'Fills were not read: nothing was traded where the quantity did not change, and what came in was paid at its cost.' as proof
union all
select
    'ACCOUNT_RESIDUAL' as total_source,
    false as is_weaker,
    'IMPLIED' as quality,
    'It is the one unknown row of the account: the broker''s own total of the days, less all other rows, leaves one answer.'
        as proof
union all
select
    null as total_source,
    false as is_weaker,
    'UNKNOWN' as quality,
    'More than one outcome is possible: the figure is null, a flag says which question is open, and a finding what to do.'
        as proof
