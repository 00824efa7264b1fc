-- How many contracts of each option that is gone delivered their underlying (`delivered`); null where more than one answer fits what is known, or
-- none does. `stock_is_open`: shares may have come and gone for strike cash, and nothing tells.
with answered as (
    select
        account_id,
        trading_date,
        linked_to,
        bool_and(coalesce(at_least = at_most, false)) and sum(at_least * shares) = max(stock_move) as is_answered,
        coalesce(bool_or(at_least < at_most), false) as has_several
    from delivery
    group by account_id, trading_date, linked_to
),

-- in the money and nothing delivered: exercise by exception says otherwise, so the books lack something
contradicted as (
    select distinct
        delivery.account_id,
        delivery.trading_date,
        delivery.linked_to
    from delivery
    inner join delivery_range as possible
        on
            delivery.account_id = possible.account_id
            and delivery.trading_date = possible.trading_date
            and delivery.instrument_id = possible.instrument_id
    where
        not delivery.is_expected and possible.expired and possible.in_the_money
        and delivery.at_most = 0 and possible.contracts > possible.lapse_quantity
)

select
    delivery.account_id,
    delivery.trading_date,
    delivery.instrument_id,
    delivery.linked_to,
    case
        when not answered.is_answered or contradicted.linked_to is not null then null
        -- a stock that did not move is no proof: what it was worth has to be known too
        when
            delivery.at_least = 0 and delivery.stock_move = 0 and possible.expired and possible.in_the_money is null
            and possible.contracts > possible.lapse_quantity
            then null
        else delivery.at_least
    end as delivered,
    answered.has_several as stock_is_open
from delivery
inner join delivery_range as possible
    on
        delivery.account_id = possible.account_id
        and delivery.trading_date = possible.trading_date
        and delivery.instrument_id = possible.instrument_id
inner join answered
    on
        delivery.account_id = answered.account_id
        and delivery.trading_date = answered.trading_date
        and delivery.linked_to = answered.linked_to
left join contradicted
    on
        delivery.account_id = contradicted.account_id
        and delivery.trading_date = contradicted.trading_date
        and delivery.linked_to = contradicted.linked_to
