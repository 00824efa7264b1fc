-- What accepted instructions asked for options that are gone, of each kind: several add up. One counts for five sessions, and only until the
-- evening on which it was spent.
select
    gone.account_id,
    gone.trading_date,
    gone.instrument_id,
    case instruction.instruction_type when 'CONTRARY_EXERCISE' then 'EXERCISE' else instruction.instruction_type end
        as instruction_type,
    max(instruction.client_instruction_id) as instruction_id,
    try_cast(sum(instruction.accepted_quantity) as decimal(24, 8)) as accepted_quantity,
    max(instruction.known_at) as known_at
from option_gone as gone
inner join accepted_instruction as instruction
    on gone.account_id = instruction.account_id and gone.instrument_id = instruction.instrument_id
left join spent_instruction as spent on instruction.account_id = spent.account_id and instruction.id = spent.id
inner join core.calendar as before on gone.prev_trading_date = before.trading_date
inner join core.calendar as earliest on earliest.session_number = before.session_number - 5
where
    instruction.updated_at <= gone.captured_at and instruction.updated_at > earliest.post_close
    and coalesce(spent.trading_date >= gone.trading_date, true)
group by all
