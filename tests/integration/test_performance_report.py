"""The performance report: it says what pnl.performance and the sessions say, of any period, whoever knew them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from pypdf import PdfReader

from assets.catalog import CATALOG
from pipelines.errors import ConfigurationError
from pipelines.report.days import DayTotals, who_knew
from pipelines.report.formatting import UNKNOWN
from pipelines.report.performance import figures
from pipelines.report.performance.benchmark import compare, read_benchmarks
from pipelines.report.performance.content import PerformanceReport
from pipelines.report.performance.page import interactive_page, static_page
from pipelines.report.performance.view import view
from pipelines.report.performance.write import WrittenPerformance, write_performance
from pipelines.report.period import PERIODS, WINDOWS, Period, periods_ending
from pipelines.report.trades import realized_of
from pipelines.report.view import view as of_day
from pipelines.report.write import write_report
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from tests.support.broker_server import account
from tests.support.command_line import daybook
from tests.support.desk import AAPL, FRIDAY, THURSDAY, desk, fill, shares
from tests.support.evenings import CALENDAR
from tests.support.report_books import HOSTILE, published, two_evenings

DAY, OPENED = date(2025, 10, 31), date(2024, 11, 4)
WHOLE, EUROS, HOLED, LOST = "100", "200", "300", "400"
HOLE = date(2025, 10, 8)
#: What the accounts make a day, over and over: up in most weeks, down in some.
RATES = ("0.004", "-0.006", "0.002", "0", "0.011", "-0.003", "0.001", "-0.0125", "0.009", "0.0005", "0.003")


def sessions(first: date, last: date) -> list[date]:
    return [session.date for session in CALENDAR.sessions(first, last)]


def segment(day: date, sod: Decimal, net: Decimal, fees: str = "0", flow: str = "0") -> dict[str, Any]:
    """A session as the broker's history has it: half of the P&L realized, all of it carried."""
    gross = net - Decimal(fees)
    return {
        "date": day.isoformat(),
        "realized_pnl": str(gross / 2),
        "unrealized_pnl": str(gross / 2),
        "net_pnl": str(net),
        "day_pnl": "0",
        "position_pnl": str(gross),
        "sod_equity": str(sod),
        "eod_equity": str(sod + net + Decimal(flow)),
    }


def earned(days: Sequence[date], rates: Iterable[str], equity: str) -> list[dict[str, Any]]:
    """A history that makes these returns after a dollar of fees a session."""
    made, sod = [], Decimal(equity)
    for day, rate in zip(days, rates, strict=False):
        net = (sod * Decimal(rate)).quantize(Decimal("0.0001"))
        made.append(segment(day, sod, net, fees="-1"))
        sod += net
    return made


def books() -> dict[str, Any]:
    """Four accounts: one whole, with a year of history; one in euros; one with a hole; one that lost all and more."""
    month = sessions(date(2025, 10, 1), date(2025, 10, 29))
    whole = earned(sessions(OPENED, date(2025, 10, 29)), cycle(RATES), "20000")
    sod = Decimal(whole[-1]["eod_equity"])
    whole += [segment(date(2025, 10, 30), sod, Decimal(0)), segment(DAY, sod, Decimal(89), fees="-1")]
    lost = [segment(month[0], Decimal(100), Decimal(-100)), segment(month[1], Decimal(0), Decimal(5))]
    lost += [segment(day, Decimal(-5), Decimal(0)) for day in [*month[2:], date(2025, 10, 30), DAY]]
    flat = earned([*month, date(2025, 10, 30), DAY], cycle(["0.001"]), "1000")
    return {
        WHOLE: whole,
        EUROS: flat,
        HOLED: [each for each in flat if each["date"] != HOLE.isoformat()],
        LOST: lost,
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two evenings of the four accounts, for every test of this module; published."""
    history = books()
    names = tuple(history)
    positions: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    positions[WHOLE] = [shares("100", "150.50", cost="14500.00", day="2025-10-30")]
    balances = {
        name: {"account_id": int(name), "currency": "EUR" if name == EUROS else "USD", "equity": "1"} for name in names
    }
    opened = [account(int(name), open_date="2024-11-04" if name == WHOLE else "2025-10-01") for name in names]
    with desk(
        tmp_path_factory.mktemp("performance"),
        accounts=opened,
        positions=positions,
        instructions={},
        executions={name: [] for name in names},
        balances=balances,
        history=history,
    ) as made:
        made.evening(THURSDAY)
        made.broker.positions[WHOLE] = [shares("60", "151.00", cost="8700.00", day="2025-10-31")]
        fills = made.broker.books["executions"]
        assert fills is not None
        fills[WHOLE] = [
            fill(1, "SELL", "30", "152.00", "2025-10-31T15:00:00+00:00"),
            fill(2, "SELL", "10", "152.00", "2025-10-31T16:00:00+00:00"),
        ]
        made.evening(FRIDAY)
        published(made)
        return made.settings


def write(
    home: Settings, period: Period, day: date | None = None, account: str = WHOLE, formats: Iterable[str] = ()
) -> WrittenPerformance:
    return write_performance(home, CATALOG, period, day, accounts=[account] if account else [], formats=formats)


def report_of(home: Settings, period: Period, day: date | None = None, account: str = WHOLE) -> PerformanceReport:
    return write(home, period, day, account).report


def sql(home: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_published(home.published) as con:
        return con.execute(query).fetchall()


def table(report: PerformanceReport, name: str) -> list[dict[str, Any]]:
    return [dict(row) for row in report.sections[name].rows]


def tile(report: PerformanceReport, label: str) -> tuple[str, str]:
    (found,) = [each for each in view(report)["kpis"] if each["label"] == label]
    return found["text"], found["note"]


def hundred(fraction: Decimal) -> Decimal:
    return 100 * fraction


class TestFigures:
    @pytest.mark.parametrize("period", PERIODS)
    def test_a_period_says_what_pnl_performance_says_of_its_window(self, home: Settings, period: Period) -> None:
        ((sessions, total, twr, volatility, sharpe, fall, fell_from, fell_to),) = sql(
            home,
            "select sessions, total_pnl, twr, volatility, sharpe, max_drawdown, max_drawdown_from, max_drawdown_to "
            f"from pnl.performance where as_of = '{DAY}' and account_id = '{WHOLE}' "
            f"and \"window\" = '{WINDOWS[period]}'",
        )
        report = report_of(home, period)
        (row,) = table(report, "accounts")
        assert (row["returns"], row["total_pnl"], row["twr"]) == (sessions, total, hundred(twr))
        assert (row["volatility"], row["sharpe"]) == (hundred(volatility), sharpe)
        deepest = table(report, "drawdowns")[0]
        assert round(deepest["depth"] - hundred(fall), 7) == 0
        assert (deepest["from"], deepest["to"]) == (fell_from, fell_to)
        assert tile(report, "P&L") == (f"{total:,.2f}", "USD, before fees")
        assert tile(report, "Return") == (f"{hundred(twr):+.2f} %", "after fees")

    def test_months_and_years_are_the_days_of_the_history_linked(self, home: Settings) -> None:
        report = report_of(home, "all")
        rows = {row["year"]: row for row in table(report, "monthly")}
        assert list(rows) == ["2025", "2024"]
        march, year = Decimal(1), Decimal(1)
        for each in books()[WHOLE]:
            growth = 1 + round(Decimal(each["net_pnl"]) / Decimal(each["sod_equity"]), 10)
            march *= growth if each["date"].startswith("2025-03") else 1
            year *= growth if each["date"].startswith("2025") else 1
        assert round(rows["2025"]["mar"] - 100 * (march - 1), 7) == 0
        assert round(rows["2025"]["total"] - 100 * (year - 1), 7) == 0
        assert (rows["2024"]["oct"], rows["2025"]["nov"]) == ("", "")  # before the account was opened, and to come
        money = {row["year"]: row for row in table(report, "monthly_pnl")}
        made = [Decimal(each["net_pnl"]) + 1 for each in books()[WHOLE] if each["date"].startswith("2024-11")]
        assert money["2024"]["nov"] == sum(made)
        assert sum(row["total"] for row in money.values()) == report.statistics["total_pnl"]  # type: ignore[index]

    def test_parts_add_up_to_the_period_and_contributors_to_its_profit(self, home: Settings) -> None:
        report = report_of(home, "year")
        total = report.statistics["total_pnl"]  # type: ignore[index]
        parts = table(report, "breakdown")
        assert [row["part"] for row in parts] == [f"2025-{month:02}" for month in range(10, 0, -1)]
        assert sum(row["pnl"] for row in parts) == total
        assert sum(row["fees"] for row in parts) == -208  # a dollar a session, but for the first of the books
        assert sum(row["sessions"] for row in parts) == 209
        for name in ("underlyings", "symbols"):
            rows = {row["symbol"]: row["total_pnl"] for row in table(report, name)}
            assert rows == {"AAPL": 90, "no position": total - 90}
        (bridge,) = table(report, "bridge")
        moved = bridge["unsplit"] + bridge["fees"] + bridge["flow"] + bridge["unexplained"]
        assert bridge["eod_equity"] - bridge["sod_equity"] == moved
        assert bridge["unsplit"] == total  # nobody knows the split of the first day of the books
        assert (bridge["realized"], bridge["unexplained"]) == (None, 0)

    def test_turnover_is_of_the_days_whose_fills_the_books_have_and_says_of_how_many(self, home: Settings) -> None:
        report = report_of(home, "month")
        total = report.sections["breakdown"].total
        assert total is not None
        assert (total["bought"], total["sold"], total["traded_sessions"]) == (0, 6080, 2)
        assert tile(report, "Turnover") == ("0.00 %", "of 2 sessions in the books")

    def test_it_says_since_when_and_by_whom(self, home: Settings) -> None:
        report = report_of(home, "year")
        assert view(report)["range"] == "2025-01-02 to 2025-10-31"
        assert view(report)["accounts_complete"] == "209 sessions, 207 of them by the broker"
        assert {row["told"] for row in table(report, "best")} == {"broker"}

    def test_a_period_shorter_than_a_year_is_not_made_one(self, home: Settings) -> None:
        assert tile(report_of(home, "year"), "Return a year") == (UNKNOWN, "shorter than a year")
        text, note = tile(report_of(home, "all"), "Return a year")
        assert (text[0], note) == ("+", "after fees")


class TestPeriod:
    def test_the_day_may_be_one_that_only_the_history_of_the_broker_has(self, home: Settings) -> None:
        report = report_of(home, "quarter", date(2025, 3, 14))
        assert view(report)["title"] == "1st quarter 2025"
        assert view(report)["accounts_complete"] == "49 sessions, 49 of them by the broker"
        ((twr,),) = sql(
            home,
            "select twr from pnl.performance where as_of = '2025-03-14' and \"window\" = 'QTD' and "
            f"account_id = '{WHOLE}'",
        )
        assert table(report, "accounts")[0]["twr"] == hundred(twr)
        assert tile(report, "Turnover") == (UNKNOWN, "no fills are known")

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (
                ["--date", "2024-11-01"],
                "Nothing is known of account 100 on 2024-11-01: the first session known is 2024-11",
            ),
            (["--date", "2025-11-03"], "There is no end of day of 2025-11-03 in these books"),
            (["--date", "2025-03-15"], "2025-03-15 is not a trading day: the one before it is 2025-03-14."),
            (["--account", "999"], "These books have no account '999'"),
        ],
    )
    def test_a_period_that_nobody_knows_is_a_sentence(
        self, home: Settings, arguments: list[str], sentence: str
    ) -> None:
        accounts = [] if "--account" in arguments else ["--account", WHOLE]
        ended = daybook("report", "--period", "month", *arguments, *accounts, home=home.home)
        assert ended.code == 2
        assert sentence in ended.err

    def test_a_word_that_is_no_period_is_a_sentence(self, home: Settings) -> None:
        ended = daybook("report", "--period", "decade", home=home.home)
        assert ended.code == 2
        assert "'decade' is not a period: it is one of month, quarter, year, all" in ended.err

    def test_one_session_alone_says_that_nothing_varies(self, home: Settings) -> None:
        report = report_of(home, "month", OPENED)
        assert tile(report, "Volatility") == (UNKNOWN, "of fewer than two sessions")
        assert "the period has one session: nothing can be said of how returns vary" in _texts(report)
        static_page(report)
        interactive_page(report)

    @pytest.mark.parametrize(
        ("day", "following", "ended"),
        [
            (date(2025, 10, 30), date(2025, 10, 31), []),
            (date(2025, 10, 31), date(2025, 11, 3), ["month"]),
            (date(2025, 9, 30), date(2025, 10, 1), ["month", "quarter"]),
            (date(2025, 12, 31), date(2026, 1, 2), ["month", "quarter", "year"]),
        ],
    )
    def test_an_evening_makes_the_reports_of_the_periods_that_its_day_ends(
        self, day: date, following: date, ended: list[Period]
    ) -> None:
        assert periods_ending(day, following) == ended


class TestDoubt:
    def test_a_session_that_nobody_knows_takes_what_it_is_a_part_of_and_is_named(self, home: Settings) -> None:
        report = report_of(home, "month", account=HOLED)
        assert view(report)["warning"] == (
            "INCOMPLETE: the P&L of 1 session (2025-10-08) is not known of every account; the return of 1 session "
            "(2025-10-08) is not known, nor what links returns."
        )
        known = sum(Decimal(each["net_pnl"]) + 1 for each in books()[HOLED] if each["date"] < "2025-10-30")
        assert tile(report, "P&L") == (UNKNOWN, f"{known:,.2f} known, 22 of 23 sessions whole")
        assert tile(report, "Return") == (UNKNOWN, "1 return is not known")
        assert table(report, "monthly")[0]["oct"] is None
        assert b"INCOMPLETE" in static_page(report)
        assert daybook("report", "--period", "month", "-f", "csv", "--account", HOLED, home=home.home).code == 3

    def test_nothing_is_earned_on_equity_of_nothing_or_less(self, home: Settings) -> None:
        report = report_of(home, "month", account=LOST)
        assert "(equity at the start of 22 sessions was nothing or less, and nothing is earned on that)" in str(
            view(report)["warning"]
        )
        assert tile(report, "P&L")[0] == "-95.00"
        assert tile(report, "Return") == (UNKNOWN, "22 returns are not known")
        static_page(report)
        interactive_page(report)

    def test_figures_in_several_currencies_are_never_added(self, home: Settings) -> None:
        report = report_of(home, "month", account="")
        assert "the accounts are in EUR and USD" in view(report)["warning"]
        assert {(each["text"], each["note"]) for each in view(report)["kpis"]} == {(UNKNOWN, "of several currencies")}
        rows = {row["account_id"]: row["total_pnl"] for row in table(report, "accounts")}
        ((euros,), (dollars,)) = sql(
            home,
            f"select total_pnl from pnl.performance where as_of = '{DAY}' and \"window\" = 'MTD' "
            "and account_id is null order by currency",
        )
        assert (rows["all in EUR"], rows["all in USD"]) == (euros, dollars)
        assert rows[EUROS] == euros
        assert dollars is None  # a session of one of them is not known
        assert table(report, "monthly") == table(report, "symbols") == []
        page = static_page(report)
        assert b"There is no P&amp;L over accounts in several currencies." in page
        interactive_page(report)


def _texts(report: PerformanceReport) -> list[str]:
    return [item["text"] for item in view(report)["attention"]]


class TestFiles:
    FORMATS = ("html", "pdf", "xlsx", "csv")

    def test_the_same_question_is_the_same_bytes_in_every_format(self, home: Settings) -> None:
        first = write(home, "year", formats=self.FORMATS)
        name = "performance_year_2025-10-31_of-"
        assert {path.name.partition(name)[0] for path in first.files[:4]} == {""}
        bodies = [path.read_bytes() for path in first.files]
        assert {path.stat().st_mode & 0o777 for path in first.files} == {0o600}
        again = write(home, "year", formats=self.FORMATS)
        assert [path.read_bytes() for path in again.files] == bodies
        known = write_performance(home, CATALOG, "year", known_at=first.report.known_at, accounts=[WHOLE])
        assert [path.read_bytes() for path in known.files] == bodies

    def test_workbook_extracts_and_paper_have_every_section(self, home: Settings) -> None:
        written = write(home, "year", formats=self.FORMATS)
        page, _, pdf, xlsx, *extracts = written.files
        names = [*written.report.sections, "days"]
        assert openpyxl.load_workbook(xlsx).sheetnames == ["report", *names]
        assert [path.name for path in extracts] == [f"{name}.csv" for name in names]
        days = list(csv.DictReader(io.StringIO(extracts[-1].read_bytes().decode(), newline="")))
        assert len(days) == 209
        assert sum(Decimal(day["pnl"]) for day in days) == written.report.statistics["total_pnl"]  # type: ignore[index]
        pages = PdfReader(pdf).pages
        first = " ".join(pages[0].extract_text().split())
        assert "Year 2025" in first
        assert "209 sessions, 207 of them by the broker" in first
        assert " ".join(pages[-1].extract_text().split()).index("A dash is what is not known") > 100, "it is not alone"
        assert page.stat().st_size <= 100 * 1024  # programs for mail cut off what is longer

    def test_the_command_says_what_the_page_says(self, home: Settings) -> None:
        ended = daybook("report", "--period", "Year", "-f", "html", "--account", WHOLE, home=home.home)
        assert ended.code == 0, ended.err
        assert ended.out.splitlines()[0].startswith(
            "Year 2025 is COMPLETE: 2025-01-02 to 2025-10-31, 209 sessions, 207"
        )
        assert "USD, before fees" in ended.out
        told = json.loads(
            daybook("report", "--period", "year", "-f", "html", "--account", WHOLE, "--json", home=home.home).out
        )
        ((total,),) = sql(
            home,
            f"select total_pnl from pnl.performance where as_of = '{DAY}' and \"window\" = 'YTD' and "
            f"account_id = '{WHOLE}'",
        )
        assert (Decimal(told["total_pnl"]), told["sessions"], told["by_broker"]) == (total, 209, 207)


class TestBooks:
    """Books that the evening makes a report of all the same: it must not fail for what they are."""

    def test_symbols_that_mean_harm_are_text_in_every_format(self, tmp_path: Path) -> None:
        with two_evenings(tmp_path, HOSTILE) as made:
            written = write_performance(made.settings, CATALOG, "month")
        static, interactive = (path.read_text() for path in written.files[:2])
        assert (static.count("<script"), interactive.count("<script")) == (0, 2)
        assert "<img" not in static + interactive
        book = openpyxl.load_workbook(next(path for path in written.files if path.suffix == ".xlsx"))
        for sheet in book:
            cells = [cell for row in sheet.iter_rows() for cell in row]
            assert all(str(cell.value).startswith("=SUM(") for cell in cells if cell.data_type == "f")
            assert not any(cell.hyperlink for cell in cells)
        (symbols,) = [path for path in written.files if path.name == "symbols.csv"]
        told = csv.DictReader(io.StringIO(symbols.read_bytes().decode(), newline=""))
        assert not any(row["symbol"].startswith(("=", "+", "-", "@", "\t", "\r")) for row in told)

    def test_an_evening_that_could_read_no_account_has_a_page_that_knows_nothing(self, tmp_path: Path) -> None:
        with desk(tmp_path, accounts=[100], positions={100: []}, instructions={}) as made:
            made.broker.forbidden = {("100", "positions"), ("100", "portfolio-history")}
            made.evening(FRIDAY)
            published(made)
            written = write_performance(made.settings, CATALOG, "month", DAY)
        assert view(written.report)["status"] == "INCOMPLETE"
        assert view(written.report)["accounts_complete"] == "no session known"
        assert {each["text"] for each in view(written.report)["kpis"]} == {UNKNOWN}


class TestBenchmark:
    """benchmarks.csv stands in the home of the module while a test needs it."""

    @pytest.fixture
    def supplied(self, home: Settings) -> Iterator[Path]:
        yield home.benchmarks
        home.benchmarks.unlink(missing_ok=True)

    def twice_as_much(self, missing: Sequence[date] = ()) -> str:
        """A benchmark whose return is, to twelve places, twice ours net of fees each day."""
        lines, close = ["name,trading_date,close", "Double,2025-09-30,1000"], Decimal(1000)
        for each in books()[WHOLE]:
            if each["date"] >= "2025-10-01":
                close *= 1 + 2 * round(Decimal(each["net_pnl"]) / Decimal(each["sod_equity"]), 10)
                if date.fromisoformat(each["date"]) not in missing:
                    lines.append(f"Double,{each['date']},{close:.12f}")
        return "\n".join(lines)

    def test_what_moves_twice_as_much_has_half_a_beta(self, home: Settings, supplied: Path) -> None:
        supplied.write_text(self.twice_as_much())
        report = report_of(home, "month")
        (row,) = table(report, "benchmarks")
        assert (round(row["beta"], 6), round(row["correlation"], 6)) == (Decimal("0.5"), 1)
        assert (row["sessions"], row["missing"], row["note"]) == (23, 0, "")
        closes = self.twice_as_much().splitlines()
        gained = 100 * (Decimal(closes[-1].rsplit(",", 1)[1]) / 1000 - 1)
        assert round(row["total_return"] - gained, 7) == 0
        assert row["excess_return"] == row["ours"] - row["total_return"]
        assert b">Double</text>" in static_page(report)
        assert b'"key":"benchmark1"' in interactive_page(report)

    def test_missing_days_are_counted_named_and_not_compared(self, home: Settings, supplied: Path) -> None:
        # as a spreadsheet of Windows writes it
        supplied.write_bytes(("\ufeff" + self.twice_as_much(missing=[HOLE]).replace("\n", "\r\n")).encode())
        report = report_of(home, "month")
        (row,) = table(report, "benchmarks")
        assert (row["sessions"], round(row["beta"], 6)) == (21, Decimal("0.5"))
        assert row["note"] == (
            "Double has no close on 1 of 24 sessions, the first 2025-10-08: returns to and from them are not compared."
        )
        assert row["note"] in _texts(report)
        supplied.write_text(self.twice_as_much(missing=[DAY]))
        (row,) = table(report_of(home, "month"), "benchmarks")
        assert (row["total_return"], row["excess_return"]) == (None, None)
        assert row["note"].endswith("without that of 2025-10-31 its return over the period is not known.")

    @pytest.mark.parametrize(
        ("lines", "sentence"),
        [
            ("name,date,close\n", "benchmarks.csv must begin with a line name,trading_date,close."),
            ("", "benchmarks.csv must begin with a line name,trading_date,close."),
            ("name,trading_date,close\nX,2025-10-01,n/a", "benchmarks.csv line 2 has 'n/a' for a close: it must be"),
            ("name,trading_date,close\nX,2025-10-01,-1", "benchmarks.csv line 2 has '-1' for a close: it must be"),
            ("name,trading_date,close\nX,2025-10-01,NaN", "benchmarks.csv line 2 has 'NaN' for a close: it must be"),
            ("name,trading_date,close\nX,2025-10-01,1e99", "benchmarks.csv line 2 has '1e99' for a close: it must be"),
            ("name,trading_date,close\nX,1.10.25,5", "benchmarks.csv line 2 has '1.10.25' for a date: write it like"),
            ("name,trading_date,close\nX,2025-10-01", "benchmarks.csv line 2 has 2 columns and not 3"),
            ("name,trading_date,close\n,2025-10-01,5", "benchmarks.csv line 2 has no name."),
            (
                "name,trading_date,close\nX,2025-10-01,5\nX,2025-10-01,6",
                "benchmarks.csv line 3 has a second close of X on 2025-10-01.",
            ),
        ],
    )
    def test_text_in_it_is_a_sentence_and_the_report_is_made_without(
        self, home: Settings, supplied: Path, lines: str, sentence: str
    ) -> None:
        supplied.write_text(lines)
        with pytest.raises(ConfigurationError, match=re.escape(sentence)):
            read_benchmarks(supplied)
        if "n/a" in lines:
            report = report_of(home, "month")
            assert any(sentence in text for text in _texts(report))
            assert table(report, "benchmarks") == []
            assert b"no benchmark: benchmarks.csv line 2" in static_page(report)

    def test_what_is_no_text_is_a_sentence(self, supplied: Path) -> None:
        supplied.write_bytes("name,trading_date,close\nX,2025-10-01,5".encode("utf-16"))
        with pytest.raises(ConfigurationError, match=re.escape("benchmarks.csv is not text in UTF-8")):
            read_benchmarks(supplied)

    def test_a_name_that_means_harm_is_text(self, home: Settings, supplied: Path) -> None:
        name = "<script>alert(1)</script>"
        supplied.write_text(self.twice_as_much().replace("Double", name))
        written = write(home, "month", formats=("html", "csv"))
        for path in written.files[:2]:
            page = path.read_text()
            assert name not in page
            assert page.count("<script") == (2 if path.name.endswith("_interactive.html") else 0)
        supplied.write_text(self.twice_as_much().replace("Double", "=1+1"))
        written = write(home, "month", formats=("csv",))
        (told,) = [path for path in written.files if path.name == "benchmarks.csv"]
        assert told.read_text().splitlines()[1].startswith("'=1+1,")


def day_of(number: int, rate: str | None, **changes: Any) -> DayTotals:
    """A session whose return is known, or not."""
    return DayTotals(
        date=sessions(date(2025, 1, 2), date(2025, 12, 31))[number],
        pnl=Decimal(1),
        holes=0,
        daily_return=None if rate is None else Decimal(rate),
        accounts=1,
        **changes,
    )


class TestSessions:
    """What a few sessions add up to, by hand."""

    def test_falls_begin_at_the_end_of_a_high_and_end_where_it_is_reached_again(self) -> None:
        days = [day_of(n, rate) for n, rate in enumerate(("0.1", "-0.5", "0.5", "0.5", "0.2", "-0.1"))]
        deep, last = figures.falls(days, date(2024, 12, 31))
        assert (deep.begins, deep.lowest, deep.recovered_on) == (days[0].date, days[1].date, days[3].date)
        assert (deep.depth, deep.sessions_to, deep.sessions) == (-50, 1, 3)
        assert (last.begins, last.depth, last.row()["recovered_on"]) == (days[4].date, -10, "not yet")

    def test_a_fall_from_the_beginning_began_with_the_session_before(self) -> None:
        (fall,) = figures.falls([day_of(0, "-0.1"), day_of(1, None), day_of(2, "0.9")], date(2024, 12, 31))
        assert (fall.begins, fall.sessions_to, fall.recovered_on) == (date(2024, 12, 31), 1, None)

    def test_the_distribution_counts_every_session_once(self) -> None:
        rates = ["0", "-0.0001", "0.0049", "0.005", "-0.02", "0.03"]
        rows = figures.distribution([day_of(n, rate) for n, rate in enumerate(rates)])
        assert sum(row["days"] for row in rows) == len(rates)
        assert all(first["high"] == second["low"] for first, second in pairwise(rows))
        width = rows[0]["high"] - rows[0]["low"]
        inside = {row["low"]: row["days"] for row in rows}
        assert (width, inside[Decimal(0)], inside[-width]) == (Decimal("0.25"), 1, 1)

    def test_a_rolling_figure_needs_every_session_of_its_window(self) -> None:
        days = [day_of(n, rate) for n, rate in enumerate(("0.01", "-0.01", None, "0.01", "-0.01", "0.01"))]
        found = figures.rolling(days, 2, 0.0)
        assert [volatility is None for volatility, _ in found] == [True, False, True, True, False, False]
        volatility, sharpe = found[1]
        assert volatility == pytest.approx(100 * 0.0002**0.5 * 252**0.5)
        assert sharpe == pytest.approx(0)

    def test_a_benchmark_that_stands_still_has_no_beta(self) -> None:
        days = [day_of(n, "0.01") for n in range(3)]
        closes = {day: Decimal(5) for day in (date(2024, 12, 31), *(day.date for day in days))}
        found = compare("X", closes, days, date(2024, 12, 31))
        assert (found.beta, found.correlation, found.total_return) == (None, None, 0)
        assert found.sessions == 3

    def test_who_knew_is_told_in_part_where_it_is_in_part(self) -> None:
        both = [day_of(0, "0", by_broker=1), day_of(1, "0")]
        assert who_knew(both) == "2 sessions, 1 of them by the broker"
        assert who_knew([DayTotals(date.min, None, 2, accounts=2, by_broker=1)]) == (
            "1 session, 1 of them wholly or partly by the broker"
        )
        assert who_knew([DayTotals(date.min, None, 2)]) == "no session known"


class TestTrades:
    """What each fill realized, in the end-of-day report."""

    def row(self, number: int, side: str, quantity: str, price: str, **changes: Any) -> dict[str, Any]:
        return {
            "account_id": WHOLE,
            "instrument_id": AAPL,
            "id": str(number),
            "side": side,
            "quantity": Decimal(quantity),
            "price": Decimal(price),
            "multiplier": Decimal(100),
            "quantity_prev": Decimal(3),
            "cost_prev": Decimal(900),
            "realized_of_position": Decimal(600),
            **changes,
        }

    def realized(self, *rows: dict[str, Any]) -> list[Decimal | None]:
        return realized_of(list(rows))

    def test_what_closes_realizes_against_average_cost_and_what_opens_nothing(self) -> None:
        # 3 at 3.00, one more at 7.00: 4 at 4.00; 2 of them at 7.00
        assert self.realized(self.row(1, "BUY", "1", "7"), self.row(2, "SELL", "2", "7")) == [0, 600]

    def test_what_turns_round_realizes_what_it_closes(self) -> None:
        # 3 at 3.00 are closed at 5.00, 2 are short at 5.00, of which one is bought back at 5.00
        assert self.realized(self.row(1, "SELL", "5", "5"), self.row(2, "BUY", "1", "5")) == [600, 0]

    @pytest.mark.parametrize(
        "changes",
        [
            {"realized_of_position": Decimal(599)},
            {"realized_of_position": None},
            {"cost_prev": None},
            {"quantity_prev": None},
            {"price": None},
            {"multiplier": None},
            {"side": "OTHER"},
        ],
    )
    def test_what_the_position_does_not_prove_is_not_known(self, changes: dict[str, Any]) -> None:
        assert self.realized(self.row(1, "SELL", "3", "5") | changes) == [None]

    def test_the_report_of_the_evening_has_them(self, home: Settings) -> None:
        report = write_report(home, CATALOG, accounts=[WHOLE], formats=["csv", "html"]).report
        trades = report.sections["trades"]
        assert [(row["price"], row["notional"], row["realized_pnl"]) for row in trades.rows] == [
            (152, 4560, 210),
            (152, 1520, 70),
        ]
        (fees,) = report.sections["fees"].rows
        assert (fees["before_fees"], fees["fees_and_other"], fees["net"]) == (90, -1, 89)
        (since,) = report.sections["known_since"].rows
        assert (since["since"], since["from_books"], since["from_broker"]) == (OPENED, 2, 247)
        notes = {each["label"]: each["note"] for each in of_day(report)["kpis"]}
        assert notes["P&L of the day"] == "USD, before fees"
        assert notes["Year to date"] == "USD, before fees, since 2025-01-02, 209 sessions, 207 of them by the broker"
        assert (
            notes["Inception to date"] == "USD, before fees, since 2024-11-04, 249 sessions, 247 of them by the broker"
        )
