"""What a year brings besides quiet evenings, put into books that were copied from one: every question of docs/sql is
about something, and a question that finds nothing may be fast for that reason alone.

About monthly, one account has a day with ten positions restated, a break with the broker, a rule that does not hold, a
dividend, options that expired and an instruction; it has one gap, a closed period, and on the last day old prices.
"""

from __future__ import annotations

from datetime import date

import duckdb

#: Sessions between two days on which something happens.
APART = 21
POSITIONS = 10
CLOSED = 2  # of the days with trouble, counted from the first: the period is closed through it

_RESTATED = """
    create or replace temporary table restated as
    select * replace (
        2 as version, known_from + interval 12 hours as known_from, 'PRICE_CORRECTION' as reason,
        total_pnl + 1 as total_pnl, 2.5 as income_estimate
    )
    from {table} where account_id = $account and trading_date = $day limit {most};
    update {table} as former set known_to = restated.known_from from restated
    where former.account_id = restated.account_id and former.trading_date = restated.trading_date {same};
    insert into {table} by name from restated;
"""
#: Statements for a day with trouble, a `;` between two.
_ON_A_DAY = (
    _RESTATED.format(table="pnl.account_daily_version", most=1, same="")
    + _RESTATED.format(
        table="pnl.position_daily_version",
        most=POSITIONS,
        same="and former.instrument_id = restated.instrument_id",
    )
    + """
    update quality.comparison set status = 'BREAK', ours = 2, broker = 1, difference = 1
    where account_id = $account and trading_date = $day and check_name = 'total_vs_history';
    insert into quality.day_finding by name
    select trading_date, account_id, 'sum_of_positions' as check_name, 'FAIL' as severity, 'not the sum' as message,
        run_id
    from core.account_eod where account_id = $account and trading_date = $day;
    insert into core.lifecycle_event by name
    select account_id, instrument_id, trading_date, 'EXPIRY' as kind, symbol, underlying_instrument_id,
        quantity as contracts, -quantity as quantity_moved, 0 as underlying_quantity_moved, 'INFERRED' as confidence
    from restated where instrument_type = 'OPTION';
    insert into raw.position_instructions by name
    select eod.run_id, eod.account_id, concat('instruction ', $day) as id, restated.instrument_id, restated.symbol,
        'DO_NOT_EXERCISE' as instruction_type, 1 as quantity, 'ACCEPTED' as status, eod.captured_at as created_at,
        'none' as _dlt_load_id
    from core.account_eod as eod, restated where eod.account_id = $account and eod.trading_date = $day limit 1;
    update raw.extract_manifest set fields_seen = '{"fields":["new"],"unknown_fields":{"new":1},"unknown_enums":{}}'
    from core.account_eod as eod
    where extract_manifest.run_id = eod.run_id and eod.trading_date = $day and eod.account_id = $account
        and extract_manifest.account_id = $account and extract_manifest.endpoint = 'executions';
"""
)
_CLOSED = """
    insert into core.period_lock
    select account_id, trading_date, known_at + interval 1 hour, 'bench' from core.account_eod
    where account_id = $account and trading_date = $day;
"""
_GAP = (
    "".join(
        f"delete from {table} where account_id = $account and trading_date = $day;"
        for table in (
            "pnl.position_daily_version",
            "pnl.account_daily_version",
            "core.position_eod",
            "core.account_eod",
        )
    )
    + """
    update core.expected_day set is_known = false, is_complete = false, reason = 'NO_SNAPSHOT'
    where account_id = $account and trading_date = $day;
"""
)
_LAST_DAY = """
    update core.position_eod as eod set
        closing_price_date = eod.closing_price_date - 7,
        option_expiry = case when eod.instrument_type = 'OPTION' then $day + 3 end,
        quantity = -abs(eod.quantity)
    from (
        select instrument_id from core.position_eod
        where account_id = $account and trading_date = $day order by instrument_id limit 10
    ) as ten
    where eod.account_id = $account and eod.trading_date = $day and eod.instrument_id = ten.instrument_id;
"""


def add_unusual_days(con: duckdb.DuckDBPyConnection) -> None:
    """Add to an open warehouse what its copied days have none of. About monthly, the last day included."""
    days = [day for (day,) in con.execute("select distinct trading_date from core.run order by all").fetchall()]
    with_trouble = days[-2::-APART][::-1]
    for day in with_trouble:
        _do(con, _ON_A_DAY, day)
    _do(con, _CLOSED, with_trouble[min(CLOSED, len(with_trouble) - 1)])
    _do(con, _GAP, days[len(days) // 2])
    _do(con, _LAST_DAY, days[-1])


def _do(con: duckdb.DuckDBPyConnection, statements: str, day: date) -> None:
    account = (con.execute("select min(account_id) from core.expected_day").fetchone() or ("",))[0]
    values = {"account": account, "day": day}
    for statement in statements.split(";"):
        used = {name: value for name, value in values.items() if f"${name}" in statement}
        if statement.strip():
            con.execute(statement, used)
