-- The best source that the day allows for each position's P&L (EXECUTIONS, REPORTED, SNAPSHOT; null where none does), and realized P&L and change of
-- unrealized by that source.
with sourced as (
    select
        step.account_id,
        step.trading_date,
        step.instrument_id,
        step.is_opening,
        step.reported_realized,
        step.reported_unrealized,
        step.moved_quantity,
        step.moved_cash,
        step.trade_cash,
        step.implied_trade,
        step.unrealized_step,
        step.basis_step,
        semantics.pnl_semantics,
        semantics.semantics_source,
        case
            when
                not step.is_opening and step.executions_loaded and step.quantities_agree and step.unpriced_fills = 0
                and step.unrealized_step is not null and step.basis_step is not null and step.trade_cash is not null
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
            when step.is_opening or step.unrealized_step is null then null
            -- fills are known and do not add up: nothing may be assumed
            when step.executions_loaded and step.quantities_agree is not true and step.split_suspected is not true then null
            when step.split_suspected then 'SNAPSHOT'
            -- a fill that closed something realized something, and what is not known
            when
                (step.quantity >= 0 and step.sold_quantity > 0) or (step.quantity <= 0 and step.bought_quantity > 0)
                then null
            when step.implied_trade = 0 and (step.moved_quantity = 0 or step.basis_step is not null) then 'SNAPSHOT'
            -- it did not shrink, so nothing was realized
            when
                step.quantity <> 0 and sign(step.implied_trade) = sign(step.quantity)
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
    inner join pnl_semantics as semantics
        on step.account_id = semantics.account_id and step.trading_date = semantics.trading_date
)

select
    account_id,
    trading_date,
    instrument_id,
    is_opening,
    unrealized_step,
    pnl_semantics,
    semantics_source,
    total_source,
    case total_source
        when 'EXECUTIONS' then trade_cash + moved_cash + basis_step
        when 'REPORTED' then reported_realized
        when 'SNAPSHOT' then case
            when implied_trade = 0 and moved_quantity <> 0 then moved_cash + basis_step
            -- strike cash paid for what came in is its cost, and nothing of it was realized
            when moved_quantity <> 0 then 0
            else moved_cash
        end
    end as realized_pnl,
    case
        when total_source = 'REPORTED' and (is_opening or pnl_semantics = 'since_prior_close') then reported_unrealized
        when total_source is not null then unrealized_step
    end as unrealized_change
from sourced
