"""What the performance report shows in tables, in its order."""

from __future__ import annotations

from pipelines.report.section import ReportColumn, Section, columns, named
from pipelines.report.sections import DIVIDENDS

_CONTRIBUTOR = """
    symbol            symbol   symbol
    instrument_type   ~text    type
    sessions          integer  sessions
    unknown           ~integer days not known
    realized_pnl      money    realized
    unrealized_change money    unrealized
    total_pnl         money    P&L before fees
    income            ~money   dividends
    bought            ~money   bought
    sold              ~money   sold
    group_id          ~text    id
"""
_DAY = """
    date       day     day
    net_return percent return after fees
    pnl        money   P&L before fees
    told       text    by
"""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CONTRIBUTOR_NOTE = (
    "Before fees. No position: sessions that only the broker's history has, and what an account made beside its "
    "positions."
)


def _years(kind: str) -> tuple[ReportColumn, ...]:
    months = "\n".join(f"{name.lower()} {kind} {name}" for name in _MONTHS)
    return columns(f"year text year\n{months}\ntotal {kind} year")


SECTIONS = (
    Section(
        "accounts",
        "Performance by account: P&L before fees, returns after fees",
        columns("""
            account_id        text     account
            name              prose    name
            currency          text     in
            since             day      since
            as_of             ~day     to
            sessions          integer  sessions
            by_broker         integer  by broker
            returns           ~integer returns known
            holes             integer  holes
            total_pnl         money    P&L
            twr               percent  return
            annualized_return percent  a year
            volatility        share    volatility
            sharpe            ratio    Sharpe
            sortino           ratio    Sortino
            max_drawdown      percent  max. fall
            max_drawdown_from ~day     fell from
            max_drawdown_to   ~day     to
            recovered_on      ~day     recovered on
            best_day          ~percent best day
            worst_day         ~percent worst day
            win_rate          share    days won
            profit_factor     ~ratio   profit factor
            average_gain      ~percent average gain
            average_loss      ~percent average loss
        """),
        empty="No account has a session in the period.",
        note="By broker: sessions that its portfolio history alone tells "
        "of. Holes are sessions without a return. A return a year is only given where the period is as long as one.",
        shown=25,
    ),
    Section(
        "monthly",
        "Returns by month, after fees, per cent",
        _years("percent"),
        empty="No return is known.",
        note="Daily returns linked, over the whole history of the accounts. A dash: a day of the month is not known.",
        shown=60,
    ),
    Section(
        "monthly_pnl",
        "P&L by month, before fees",
        _years("money"),
        empty="No P&L is known.",
        note="Over the whole history of the accounts. A dash: a day of the month is not known of every account.",
        shown=60,
    ),
    Section(
        "breakdown",
        "Realized and unrealized, income and fees, turnover",
        columns("""
            part            text     part
            sessions        integer  sessions
            by_broker       integer  by broker
            covered         ~integer sessions covered
            pnl             money    P&L before fees
            realized        money    realized
            unrealized      money    unrealized
            fees            money    income and fees
            net             money    P&L after fees
            net_return      percent  return after fees
            flow            ~money   flows
            equity          ~money   equity at end
            bought          money    bought
            sold            money    sold
            turnover        share    turnover
            traded_sessions ~integer sessions of turnover
        """),
        empty="The period has no session.",
        note="P&L is before fees; net P&L and the return are after them and with income. Turnover is the lesser of "
        "what was bought and sold over mean equity, of the sessions whose fills the books have.",
        shown=60,
    ),
    Section(
        "bridge",
        "From equity to equity, by account",
        columns("""
            account_id  text  account
            sod_equity  money equity before
            realized    money realized
            unrealized  money unrealized
            unsplit     money not split
            total_pnl   ~money P&L before fees
            fees        money income and fees
            flow        money flows
            unexplained money unexplained
            eod_equity  money equity at end
        """),
        empty="No equity is known.",
        note="Unexplained is what the broker's equity moved by and the books do not account for.",
        shown=25,
    ),
    Section(
        "drawdowns",
        "Deepest falls of the linked return",
        columns("""
            from         day     from
            to           day     lowest
            recovered_on day     recovered
            depth        percent depth
            sessions_to  integer sessions to lowest
            sessions     integer in all
        """),
        empty="There is none, or returns are not known.",
        shown=5,
    ),
    Section("best", "Best days", columns(_DAY), empty="No day gained.", shown=10),
    Section("worst", "Worst days", columns(_DAY), empty="No day lost.", shown=10),
    Section(
        "underlyings",
        "Contribution by underlying",
        columns(_CONTRIBUTOR.replace("symbol   symbol", "symbol   underlying")),
        empty="The books have no position in the period.",
        note=_CONTRIBUTOR_NOTE,
        shown=15,
    ),
    Section(
        "symbols",
        "Contribution by symbol",
        columns(_CONTRIBUTOR),
        empty="The books have no position in the period.",
        note=_CONTRIBUTOR_NOTE,
        shown=15,
    ),
    Section(
        "options",
        "What became of options",
        columns("""
            trading_date  day      day
            account_id    text     account
            symbol        symbol   symbol
            event         prose    event
            quantity_prev quantity before
            quantity      quantity after
            realized_pnl  money    realized
            total_pnl     money    P&L before fees
        """),
        empty="None was exercised, assigned or expired.",
    ),
    DIVIDENDS,
    Section(
        "benchmarks",
        "Beside benchmarks",
        columns("""
            name           text     benchmark
            sessions       integer  sessions compared
            ours           percent  our return
            total_return   percent  its return
            excess_return  percent  excess
            beta           ratio    beta
            correlation    ratio    correlation
            tracking_error share    tracking error
            missing        ~integer closes missing
            note           prose    note
        """),
        empty="None is supplied: benchmarks.csv in DAYBOOK_HOME has a line name,trading_date,close for each.",
        note="Our return is after fees. Beta, correlation and the yearly tracking error are of the sessions on which "
        "both have a return.",
        shown=10,
    ),
    Section(
        "restatements",
        "Restated days of the period",
        columns("""
            trading_date day      day
            account_id   text     account
            symbol       symbol   symbol
            measure      text     measure
            old          money    old
            new          money    new
            change       money    change
            reason       text     reason
            known_from   instant  known since (UTC)
        """),
        empty="No figure of the period was changed after it was first known.",
    ),
    Section(
        "distribution",
        "Distribution of days",
        columns("""
            low  share   from
            high share   to less than
            days integer days
        """),
        empty="No return is known.",
        shown=0,
    ),
)
NAMED = named(SECTIONS)
