-- The best source that the day allows for each position's P&L (EXECUTIONS, REPORTED, SNAPSHOT; null where none does), and realized P&L and
-- total by that source.
with sourced as (
    select
        step.account_id,
        step.trading_date,
        step.instrument_id,
        step.is_opening,
        step.reported_realized,
        step.reported_unrealized,
        step.fills,
        step.moved_quantity,
        step.moved_cash,
        step.came_and_went,
        step.trade_cash,
        step.implied_trade,
        step.only_opened,
        -- what was traded beside it makes P&L of its own
        step.split_suspected and step.fills = 0 as only_split_suspected,
        step.value_step,
        step.unrealized_step,
        step.basis_step,
        -- yesterday's (split-adjusted) quantity at today's price against its value of yesterday, less what left it without P&L
        case
            when step.is_opening or step.quantity_is_moved then null
            when step.quantity_prev = 0 then 0
            when step.quantity = step.quantity_prev_split then step.market_value
            else value_of(step.quantity_prev_split, step.price, step.multiplier)
        end - step.market_value_prev - case when step.only_expiry then 0 else step.moved_value end as carried_pnl,
        semantics.pnl_semantics,
        semantics.semantics_source,
        case
            -- a line about what was never there
            when step.is_stranger then null
            when
                not step.is_opening and not step.outcome_open
                and step.executions_loaded and step.quantities_agree and step.unpriced_fills = 0
                and step.value_step is not null and step.trade_cash is not null
                then 'EXECUTIONS'
            when
                step.reported_realized is not null and step.reported_unrealized is not null
                and (step.is_opening or step.days_covered = 1)
                and (
                    semantics.pnl_semantics = 'since_prior_close'
                    or (step.is_opening and step.reported_realized = 0)
                    or (not step.is_opening and step.unrealized_step is not null)
                )
                then 'REPORTED'
            when step.is_opening or step.value_step is null or step.outcome_open then null
            -- fills are known and do not add up: nothing may be assumed
            when step.executions_loaded and step.quantities_agree is not true and only_split_suspected is not true then null
            -- what was paid is told by fills and by cost in units that nobody knows
            when step.multiplier is null and step.implied_trade <> 0 then null
            when only_split_suspected then 'SNAPSHOT'
            -- what closed something realized something, and what is not known: a fill, or what was traded beside the fills that are known
            when
                (step.quantity >= 0 and step.sold_quantity > 0) or (step.quantity <= 0 and step.bought_quantity > 0)
                or sign(step.implied_trade - step.traded_quantity) * sign(step.quantity) < 0
                then null
            when step.implied_trade = 0 then 'SNAPSHOT'
            -- it did not shrink, so nothing was realized, and what came in was paid at its cost
            when
                step.basis_step is not null and step.quantity <> 0 and sign(step.implied_trade) = sign(step.quantity)
                and not step.came_and_went
                and (
                    step.moved_quantity = 0 or step.quantity_prev = 0
                    or sign(step.moved_quantity) = sign(step.quantity_prev)
                )
                and (
                    step.quantity_prev_split + step.moved_quantity = 0
                    or sign(step.quantity_prev_split + step.moved_quantity) = sign(step.quantity)
                )
                then 'SNAPSHOT'
        end as total_source
    from position_step as step
    inner join pnl.pnl_semantics as semantics
        on step.account_id = semantics.account_id and step.trading_date = semantics.trading_date
    where semantics.trading_date between $from_date and $to_date
)

select
    account_id,
    trading_date,
    instrument_id,
    is_opening,
    carried_pnl,
    unrealized_step,
    pnl_semantics,
    semantics_source,
    total_source,
    -- the total needs value and cash alone: what nobody knows of the cost takes the split, not the total
    case
        when total_source = 'REPORTED' then reported_realized
        when basis_step is null then null
        when total_source = 'EXECUTIONS' then case when only_opened then 0 else trade_cash + moved_cash + basis_step end
        when total_source = 'SNAPSHOT' then case
            when implied_trade = 0 and not only_opened then moved_cash + basis_step
            -- strike cash paid for what came in is its cost, and nothing of it was realized
            when moved_quantity <> 0 then 0
            else moved_cash
        end
    end as realized_pnl,
    case
        when total_source = 'REPORTED' and (is_opening or pnl_semantics = 'since_prior_close')
            then reported_realized + reported_unrealized
        -- nothing was traded: a cost that was restated is no P&L
        when total_source = 'REPORTED' and implied_trade = 0 and fills = 0 and only_opened and reported_realized = 0 then value_step
        when total_source = 'REPORTED' then reported_realized + unrealized_step
        when total_source = 'EXECUTIONS' then value_step + trade_cash + moved_cash
        when implied_trade = 0 and total_source = 'SNAPSHOT' then value_step + moved_cash
        when only_split_suspected and total_source = 'SNAPSHOT' then value_step
        when total_source = 'SNAPSHOT' then value_step - basis_step + case when moved_quantity <> 0 then 0 else moved_cash end
    end as total_pnl
from sourced
