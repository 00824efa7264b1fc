-- Trading days of an account whose end was not read, with the broker's own figures of them where its history has any: those before the account's
-- first known day, and those missed since. What the history said while the session was open is no figure of the day. The P&L of the positions of a
-- missed day is in the next known day's rows, which cover the hole.
select
    history.account_id,
    history.trading_date,
    history.realized_pnl,
    history.unrealized_pnl,
    history.gross_pnl as total_pnl,
    history.net_pnl,
    history.day_pnl,
    history.position_pnl,
    history.sod_equity,
    history.eod_equity,
    history.eod_equity - history.sod_equity - history.net_pnl as flow,
    daily_return(
        history.net_pnl, history.sod_equity, history.eod_equity - history.sod_equity - history.net_pnl
    ) as daily_return,
    history.known_at as inputs_known_at
from broker_history as history
inner join core.calendar
    on history.trading_date = calendar.trading_date and calendar.regular_close <= history.last_observed_at
anti join core.account_eod as known
    on
        history.account_id = known.account_id and history.trading_date = known.trading_date
        and known.trading_date between $from_date and $to_date
where history.trading_date between $from_date and $to_date
