-- Underlyings of options that had expired by the end of a day, or that an accepted instruction names: they may have come and gone for strike cash,
-- though nobody saw a share.
with options as (
    select
        account_id,
        day as trading_date,
        instrument_id,
        underlying_instrument_id,
        symbol,
        option_expiry
    from position_before
    where instrument_type = 'OPTION'
    union all
    select
        traded.account_id,
        traded.trading_date,
        traded.instrument_id,
        coalesce(traded.underlying_instrument_id, option_contract.underlying_instrument_id) as underlying_instrument_id,
        traded.symbol,
        coalesce(option_contract.expiry, osi_expiry(osi_terms(traded.symbol))) as option_expiry
    from trade_between as traded
    left join option_contract on traded.instrument_id = option_contract.id
    where option_contract.id is not null or osi_terms(traded.symbol) is not null
)

select
    options.account_id,
    options.trading_date,
    options.underlying_instrument_id as instrument_id,
    -- an option's symbol begins with that of its underlying, and where its contract was adjusted a figure follows (XYZ1)
    min(osi_root(options.symbol)) as symbol
from options
left join accepted_instruction as instruction
    on options.account_id = instruction.account_id and options.instrument_id = instruction.instrument_id
where
    options.underlying_instrument_id is not null
    and (options.option_expiry <= options.trading_date or instruction.id is not null)
group by options.account_id, options.trading_date, options.underlying_instrument_id
