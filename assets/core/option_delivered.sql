-- How many contracts of each option that is gone delivered their underlying (`delivered`), as all that tells of prices has it; null where more than
-- one answer fits what is known, or none does. Without a proof it is assumed (`is_assumed`), and what a price contradicts that is no proof is not
-- proven either. `stock_is_open`: shares may have come and gone for strike cash, and nothing tells; `stock_is_assumed`: no proof does.
with answered as (
    select
        account_id,
        trading_date,
        linked_to,
        by_proof,
        bool_and(coalesce(at_least = at_most, false)) and sum(at_least * shares) = max(stock_move) as is_answered,
        coalesce(bool_or(at_least < at_most), false) as has_several
    from delivery
    group by account_id, trading_date, linked_to, by_proof
),

weighed as (
    select
        delivery.account_id,
        delivery.trading_date,
        delivery.instrument_id,
        delivery.linked_to,
        delivery.by_proof,
        delivery.stock_move,
        delivery.at_least,
        possible.expired and possible.contracts > possible.lapse_quantity as would_deliver,
        possible.in_the_money,
        -- in the money and nothing delivered: exercise by exception says otherwise, so the books lack something
        bool_or(
            not delivery.is_expected and possible.expired and possible.contracts > possible.lapse_quantity
            and coalesce(possible.in_the_money, false) and delivery.at_most = 0
        ) over (partition by delivery.account_id, delivery.trading_date, delivery.linked_to, delivery.by_proof)
            as is_contradicted
    from delivery
    inner join delivery_range as possible
        on
            delivery.account_id = possible.account_id
            and delivery.trading_date = possible.trading_date
            and delivery.instrument_id = possible.instrument_id
            and delivery.by_proof = possible.by_proof
),

told as (
    select
        weighed.account_id,
        weighed.trading_date,
        weighed.instrument_id,
        weighed.linked_to,
        weighed.by_proof,
        answered.has_several,
        case
            when not answered.is_answered or weighed.is_contradicted then null
            -- a stock that did not move is no proof: what it was worth has to be known too
            when
                weighed.at_least = 0 and weighed.stock_move = 0 and weighed.would_deliver and weighed.in_the_money is null
                then null
            else weighed.at_least
        end as delivered
    from weighed
    inner join answered
        on
            weighed.account_id = answered.account_id
            and weighed.trading_date = answered.trading_date
            and weighed.linked_to = answered.linked_to
            and weighed.by_proof = answered.by_proof
)

select
    proven.account_id,
    proven.trading_date,
    proven.instrument_id,
    proven.linked_to,
    likely.delivered,
    proven.delivered is null and likely.delivered is not null as is_assumed,
    likely.has_several as stock_is_open,
    proven.has_several and not likely.has_several as stock_is_assumed
from told as proven
inner join told as likely
    on
        proven.account_id = likely.account_id
        and proven.trading_date = likely.trading_date
        and proven.instrument_id = likely.instrument_id
where proven.by_proof and not likely.by_proof
