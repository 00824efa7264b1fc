-- Rows of the snapshot that speaks for an account's day: quantity and cost as it has them, marks of the snapshot with the official closes,
-- broker's daily figures of the last one that had not rolled, the multiplier with its source, and an option's terms by contract or symbol.
with days as (
    select account_id, trading_date, run_id, marks_run_id, daily_fields_run_id
    from core.account_eod
    where trading_date between $from_date and $to_date
),

-- marks of a later snapshot apply only where it shows the very same position: overnight trades and splits belong to the next day
later_marks as (
    select
        days.trading_date,
        positions.account_id,
        positions.instrument_id,
        positions.quantity,
        positions.cost_basis,
        positions.market_value,
        positions.unrealized_pnl,
        positions.unrealized_pnl_pct,
        positions.closing_price,
        positions.closing_price_date,
        positions.instrument_price
    from raw.positions
    inner join days
        on positions.run_id = days.marks_run_id and positions.account_id = days.account_id
    where days.marks_run_id <> days.run_id
),

-- a snapshot taken after the broker had rolled keeps its quantities, but not its daily figures
unrolled as (
    select
        days.trading_date,
        positions.account_id,
        positions.instrument_id,
        positions.daily_realized_pnl,
        positions.daily_unrealized_pnl
    from raw.positions
    inner join days
        on positions.run_id = days.daily_fields_run_id and positions.account_id = days.account_id
    where days.daily_fields_run_id <> days.run_id
)

select
    held.account_id,
    held.instrument_id,
    days.trading_date,
    held.symbol,
    coalesce(held.underlying_instrument_id, option_contract.underlying_instrument_id) as underlying_instrument_id,
    held.instrument_type,
    case when held.position_type like 'SHORT%' then 'SHORT' else 'LONG' end as side,
    held.quantity,
    held.available_quantity,
    held.avg_price,
    held.cost_basis as reported_cost_basis,
    coalesce(later_marks.market_value, held.market_value) as market_value,
    case when later_marks.instrument_id is null then held.unrealized_pnl else later_marks.unrealized_pnl end
        as reported_unrealized_pnl,
    case when later_marks.instrument_id is null then held.unrealized_pnl_pct else later_marks.unrealized_pnl_pct end
        as unrealized_pnl_pct,
    coalesce(later_marks.closing_price, held.closing_price) as closing_price,
    coalesce(later_marks.closing_price_date, held.closing_price_date) as closing_price_date,
    coalesce(later_marks.instrument_price, held.instrument_price) as instrument_price,
    case when days.daily_fields_run_id = days.run_id then held.daily_realized_pnl else unrolled.daily_realized_pnl end
        as daily_realized_pnl,
    case
        when days.daily_fields_run_id = days.run_id then held.daily_unrealized_pnl
        else unrolled.daily_unrealized_pnl
    end as daily_unrealized_pnl,
    -- the multiplier that the row itself implies: cost / (quantity x average price), else value / (quantity x price)
    case
        when held.instrument_type = 'OPTION' and try_cast(option_contract.multiplier as decimal(12, 4)) is null then coalesce(
            abs(
                cast(held.cost_basis as double)
                / nullif(cast(held.quantity as double) * cast(held.avg_price as double), 0)
            ),
            abs(
                cast(coalesce(later_marks.market_value, held.market_value) as double)
                / nullif(
                    cast(held.quantity as double)
                    * cast(
                        coalesce(
                            later_marks.instrument_price, held.instrument_price,
                            later_marks.closing_price, held.closing_price
                        ) as double
                    ), 0
                )
            )
        )
    end as implied_multiplier,
    case
        when held.instrument_type <> 'OPTION' then cast(1 as decimal(12, 4))
        when try_cast(option_contract.multiplier as decimal(12, 4)) is not null
            then try_cast(option_contract.multiplier as decimal(12, 4))
        -- average prices are rounded by the broker, so 99.98 means 100
        when
            abs(implied_multiplier - round(implied_multiplier)) <= 0.005 * implied_multiplier
            and round(implied_multiplier) > 0 and implied_multiplier < 1000000
            then cast(round(implied_multiplier) as decimal(12, 4))
        when implied_multiplier > 0 and implied_multiplier < 1000000
            then cast(round(implied_multiplier, 4) as decimal(12, 4))
        else cast(100 as decimal(12, 4))
    end as multiplier,
    case
        when held.instrument_type <> 'OPTION' then 'UNIT'
        when try_cast(option_contract.multiplier as decimal(12, 4)) is not null then 'CONTRACT'
        when implied_multiplier > 0 and implied_multiplier < 1000000 then 'IMPLIED'
        else 'ASSUMED'
    end as multiplier_source,
    -- only where the contract itself doesn't tell them all
    case
        when
            option_contract.expiry is null
            or option_contract.strike_price is null
            or option_contract.contract_type is null
            then osi_terms(held.symbol)
    end as terms,
    coalesce(option_contract.expiry, osi_expiry(terms)) as option_expiry,
    coalesce(cast(option_contract.strike_price as decimal(24, 8)), osi_strike(terms)) as option_strike,
    coalesce(option_contract.contract_type, osi_right(terms)) as option_right
from raw.positions as held
inner join days
    on held.run_id = days.run_id and held.account_id = days.account_id
left join later_marks
    on
        held.account_id = later_marks.account_id
        and held.instrument_id = later_marks.instrument_id
        and days.trading_date = later_marks.trading_date
        and held.quantity = later_marks.quantity
        and held.cost_basis is not distinct from later_marks.cost_basis
left join unrolled
    on
        held.account_id = unrolled.account_id
        and held.instrument_id = unrolled.instrument_id
        and days.trading_date = unrolled.trading_date
left join option_contract on held.instrument_id = option_contract.id
