"""The end-of-day report: what it says is what SQL says, it can be made again, and nothing in it can do harm."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import dagster as dg
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from assets.catalog import CATALOG
from dagster_project.end_of_day import run_end_of_day
from daybook.cli.app import main
from pipelines.books.as_known import open_known
from pipelines.errors import ConfigurationError, DaybookError
from pipelines.progress import PerformanceWritten, ProgressEvent, ReportWritten
from pipelines.report import write
from pipelines.report.charts import charts, cumulative
from pipelines.report.content import Report, collect_report
from pipelines.report.days import DayTotals
from pipelines.report.formatting import exact, short
from pipelines.report.html import interactive_page, static_page
from pipelines.report.pdf import render_pdf
from pipelines.report.view import view
from pipelines.report.write import Written, write_report
from pipelines.report.xlsx import workbook
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from tests.support.broker_server import BrokerServer
from tests.support.command_line import daybook
from tests.support.desk import AAPL, FRIDAY, MONDAY, THURSDAY, desk, fill, shares
from tests.support.report_books import HOSTILE, published, segment, two_evenings

DAY = date(2025, 10, 31)
SYMBOLS = ("AAPL", "MSFT", "IBM", "GOOG", "ORCL")
#: The only formulas that a workbook has: ours, of money above.
SUM = re.compile(r"=SUM\(([A-Z]+)2:\1\d+\)")
HISTORY = {100: [segment("2025-10-31", "10000.00", "10009.99", "9.99")]}


_KIND_OF = "select table_type from information_schema.tables where table_name = ? and table_catalog = 'memory'"


class _Page(HTMLParser):
    """The tables of a page: section, then rows of texts; and every tag and attribute that there is."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._section = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = str(dict(attrs)["id"])
        elif tag == "tr":
            self.tables.setdefault(self._section, []).append([])
        elif tag in ("td", "th"):
            self.tables[self._section][-1].append("")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        rows = self.tables.get(self._section)
        if rows and rows[-1] and data.strip():
            rows[-1][-1] += data


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Five positions over two evenings, with the broker's history of the second."""
    with two_evenings(tmp_path_factory.mktemp("small"), SYMBOLS, history=HISTORY) as made:
        return made.settings


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A report of symbols that mean harm."""
    with two_evenings(tmp_path_factory.mktemp("hostile"), HOSTILE, history=HISTORY) as made:
        return write_report(made.settings, CATALOG)


def sql(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_published(settings.published) as con:
        return con.execute(query).fetchall()


def contents(written: Written) -> dict[str, bytes]:
    """Every file by its name."""
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in written.files}


def bodies(written: Written) -> list[bytes]:
    return [path.read_bytes() for path in written.files]


def report_of(settings: Settings, day: date | None = None, known_at: datetime | None = None) -> Report:
    with open_known(CATALOG, settings.published, day, known_at, ()) as books:
        return collect_report(books)


def rows(settings: Settings, name: str, day: date | None = None, known_at: datetime | None = None) -> list[Any]:
    return list(report_of(settings, day, known_at).sections[name].rows)


def csv_of(written: Written, name: str) -> list[dict[str, str]]:
    path = next(path for path in written.files if path.name == f"{name}.csv")
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


class TestNumbers:
    def test_a_page_says_what_sql_says(self, small: Settings) -> None:
        page = _Page(static_page(report_of(small)))
        ((total, mtd, equity, gross),) = sql(
            small,
            "select total_pnl, mtd, eod_equity, gross from pnl.account_daily "
            "join pnl.period using (account_id, trading_date) join pnl.exposure_daily using (account_id, trading_date) "
            f"where trading_date = '{DAY}'",
        )
        row = page.tables["accounts"][1]
        assert row[:6] == ["100", "ACCOUNT-100", "COMPLETE", f"{total:,.2f}", f"{mtd:,.2f}", f"{mtd:,.2f}"]
        assert row[10:12] == [f"{equity:,.2f}", f"{gross:,.2f}"]
        assert [line[0] for line in page.tables["best"][1:] + page.tables["worst"][1:]] == [
            symbol
            for (symbol,) in sql(
                small,
                f"select symbol from pnl.position_daily where trading_date = '{DAY}' and total_pnl <> 0 "
                "order by total_pnl > 0 desc, abs(total_pnl) desc",
            )
        ]

    def test_every_position_is_in_the_extract_with_every_digit(
        self, small: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int | None] = []
        opened = open_known

        def noted(*these: Any, a_thread: int | None = None) -> Any:
            asked.append(a_thread)
            return opened(*these, a_thread=a_thread)

        # a share of memory that nothing can be asked in: it is asked again without one
        monkeypatch.setattr(write, "open_known", noted)
        monkeypatch.setattr(write, "REPORT_THREAD", 2**19)
        lines = csv_of(write_report(small, CATALOG, formats=["csv"]), "positions")
        assert asked == [2**19, None]
        found = sql(
            small,
            "select instrument_id, quantity::varchar, market_value::varchar, total_pnl::varchar "
            f"from pnl.position_daily where trading_date = '{DAY}' order by all",
        )
        names = ("instrument_id", "quantity", "market_value", "total_pnl")
        assert sorted(tuple(line[name] for name in names) for line in lines) == found

    def test_the_workbook_has_a_sheet_a_section_with_numbers_as_numbers(self, small: Settings) -> None:
        written = write_report(small, CATALOG, formats=["xlsx"])
        book = openpyxl.load_workbook(written.files[0])
        assert book.sheetnames == ["report", *written.report.sections, "days"]
        sheet = book["positions"]
        assert sheet.freeze_panes == "B2"
        head = [cell.value for cell in sheet[1]]
        amounts = [sheet.cell(row, head.index("P&L before fees") + 1) for row in range(2, sheet.max_row)]
        assert [cell.value for cell in amounts] == [
            float(row["total_pnl"]) for row in written.report.sections["positions"].rows
        ]
        assert {(cell.data_type, cell.number_format) for cell in amounts} == {("n", "#,##0.00;[Red]-#,##0.00")}
        day = book["days"]["A2"]
        assert (str(day.value), day.number_format) == ("2025-10-30 00:00:00", "yyyy-mm-dd")
        quantities = {sheet.cell(row, head.index("quantity") + 1).number_format for row in range(2, sheet.max_row)}
        assert quantities == {"#,##0;[Red]-#,##0"}  # and no point behind a whole one
        assert (book["moves"]["A2"].value, book["moves"]["B2"].value[:11]) == ("none", "No position")
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight, sheet.print_title_rows) == (
            "landscape", 0, "$1:$1",
        )  # fmt: skip

    def test_the_first_sheet_has_dates_as_dates_and_figures_as_figures(self, small: Settings) -> None:
        written = write_report(small, CATALOG, formats=["xlsx"])
        sheet = openpyxl.load_workbook(written.files[0])["report"]
        cover = {row[0].value: row[1] for row in sheet.iter_rows()}
        assert (cover["trading date"].value.date(), cover["trading date"].number_format) == (DAY, "yyyy-mm-dd")
        totals = written.report.totals
        assert (cover["P&L of the day"].value, cover["P&L of the day"].data_type) == (float(totals["day"]), "n")
        assert cover["Return"].value == pytest.approx(float(totals["day_return"]) / 100)
        assert cover["Return"].number_format == "0.00%;[Red]-0.00%"

    def test_a_total_of_the_workbook_is_a_formula_beside_the_value_that_the_report_says(self, small: Settings) -> None:
        written = write_report(small, CATALOG, formats=["xlsx"])
        formulas, values = (openpyxl.load_workbook(written.files[0], data_only=each) for each in (False, True))
        checked = 0
        for name, section in written.report.sections.items():
            for at, column in enumerate(section.columns, 1):
                last = formulas[name].cell(len(section.rows) + 2, at).value
                if section.total and column.kind == "money" and section.total.get(column.name) is not None:
                    assert SUM.fullmatch(last), (name, column.name)
                    added = sum(formulas[name].cell(row, at).value for row in range(2, len(section.rows) + 2))
                    said = values[name].cell(len(section.rows) + 2, at).value
                    assert said == pytest.approx(added) == float(section.total[column.name])
                    checked += 1
                elif section.rows and last is not None:
                    assert not str(last).startswith("=")
        assert checked > 10

    def test_the_bridge_adds_up_to_the_cent_and_what_is_not_explained_has_its_own_bar(self, small: Settings) -> None:
        (row,) = rows(small, "bridge")
        parts = ("sod_equity", "carried", "traded", "other_pnl", "fees_and_other", "flow", "unexplained")
        assert sum(row[part] for part in parts) == row["eod_equity"]
        ((ours,),) = sql(small, f"select total_pnl from pnl.account_daily where trading_date = '{DAY}'")
        assert row["unexplained"] == Decimal("9.99") - ours != 0
        page = static_page(report_of(small)).decode()
        assert f"<title>unexplained: {row['unexplained']:,.2f}</title>" in page

    def test_what_is_derived_again_in_memory_is_what_the_books_say(self, small: Settings) -> None:
        # of accounts that are named the tables are derived again, of all of them they are read where nothing is newer
        for accounts in (("100",), ()):
            self._is_as_published(small, accounts)

    def _is_as_published(self, small: Settings, accounts: tuple[str, ...]) -> None:
        with open_known(CATALOG, small.published, None, None, accounts) as books:
            kind = "BASE TABLE" if accounts else "VIEW"
            assert books.con.execute(_KIND_OF, ["account_eod"]).fetchall() == [(kind,)]
            for name in (
                "core.account_eod",
                "core.broker_day",
                "core.expected_day",
                "pnl.period",
                "pnl.exposure_daily",
                "quality.comparison",
                "quality.reconciliation",
                "quality.day",
                "quality.finding",
                "core.position_eod",
                "core.trade_flow",
                "core.lifecycle_event",
                "quality.gap",
                "core.instruction_history",
            ):
                of_day = f"where trading_date = '{DAY}'" if name != "core.instruction_history" else ""
                here = books.con.execute(f"select * from {name} {of_day} order by all").fetchall()
                assert here == books.con.execute(f"select * from daybook.{name} {of_day} order by all").fetchall(), name

    def test_paper_is_a4_landscape_and_nothing_is_cut(self, small: Settings) -> None:
        pages = PdfReader(io.BytesIO(render_pdf(report_of(small)))).pages
        for page in pages:
            assert (round(float(page.mediabox.width)), round(float(page.mediabox.height))) == (842, 595)
        first = pages[0].extract_text()
        ((total,),) = sql(small, f"select total_pnl from pnl.account_daily where trading_date = '{DAY}'")
        for words in ("Friday 31 October 2025", "COMPLETE", "FINAL", "1 of 1 accounts complete", f"{total:,.2f}"):
            assert words in first
        assert "gross %" in first  # the last column
        beyond: list[float] = []

        def visit(text: str, page: Any, line: Any, _font: Any, _size: Any) -> None:
            x = line[4] * page[0] + line[5] * page[2] + page[4]
            if text.strip() and not 30 < x < 812:
                beyond.append(x)

        for page in pages:
            page.extract_text(visitor_text=visit)
        assert beyond == []


class TestAgain:
    def test_a_report_made_again_is_the_same_byte_for_byte(self, small: Settings) -> None:
        first = contents(write_report(small, CATALOG))
        assert len(first) == 4 + 20
        assert contents(write_report(small, CATALOG)) == first

    def test_as_known_at_its_own_knowledge_time_it_is_the_same(self, small: Settings) -> None:
        current = write_report(small, CATALOG)
        known = write_report(small, CATALOG, known_at=current.report.known_at)
        assert bodies(known) == bodies(current)
        assert [path.name for path in known.files[:1]] == ["report_2025-10-31_at-20251031T203000Z.html"]

    def test_a_later_evening_that_changes_nothing_earlier_changes_no_earlier_report(self, tmp_path: Path) -> None:
        with two_evenings(tmp_path, SYMBOLS) as d:
            before = contents(write_report(d.settings, CATALOG, DAY))
            d.evening(MONDAY)
            published(d)
            assert contents(write_report(d.settings, CATALOG, DAY)) == before

    def test_a_restatement_shows_old_new_and_reason_and_the_past_can_still_be_reported(self, tmp_path: Path) -> None:
        held = {100: [shares("100", "150.00", cost="14500.00", day="2025-10-30")]}
        with desk(tmp_path, accounts=[100], positions=held, instructions={}, executions={100: []}) as d:
            d.evening(THURSDAY)
            d.broker.positions["100"] = [shares("50", "151.00", cost="7250.00", day="2025-10-31")]
            d.evening(FRIDAY)
            published(d)
            known_at = datetime.fromisoformat(FRIDAY) + timedelta(hours=1)
            then = bodies(write_report(d.settings, CATALOG, DAY, known_at=known_at))
            assert report_of(d.settings).totals["day"] is None
            book = d.broker.books["executions"]
            assert book is not None
            book["100"] = [fill(1, "SELL", "50", "152.00", "2025-10-31T15:00:00+00:00")]
            d.broker.positions["100"] = [shares("50", "151.00", cost="7250.00", day="2025-11-03")]
            d.evening(MONDAY)
            published(d)
            changed = {(row["symbol"], row["measure"]): row for row in rows(d.settings, "restatements")}
            row = changed[None, "total P&L"]
            assert (row["old"], row["new"], row["reason"]) == (None, 150, "EXECUTION_LATE")
            assert row["trading_date"] == DAY
            assert changed["AAPL", "total P&L"]["new"] == 150
            assert report_of(d.settings, DAY).totals["day"] == 150
            assert report_of(d.settings, DAY, known_at).totals["day"] is None
            assert bodies(write_report(d.settings, CATALOG, DAY, known_at=known_at)) == then


def _adds_up_no_part(report: Report) -> bool:
    """Of a day that is known of one of two accounts: no sum is of that one alone, unless it says so."""
    assert [report.totals[name] for name in ("day", "mtd", "equity", "gross", "net", "day_return")] == [None] * 6
    for name in ("bridge", "fees"):
        section = report.sections[name]
        assert [row["account_id"] for row in section.rows] == ["200", "100"]
        assert section.total is not None
        assert set(section.total.values()) == {None}
    for name in ("underlyings", "types", "concentration"):
        assert report.sections[name].note.startswith("Of 1 of 2 accounts: the end of day of the others is not known.")
        assert {row["accounts_known"] for row in report.sections[name].rows} == {"1 of 2"}
    assert report.sections["dividends"].total is None
    before, today = report.days
    assert (today.pnl, today.whole_pnl, today.gross, today.net_exposure) == (100, None, None, None)
    assert today.caveat == "100.00 known, of 1 of 2 accounts"
    assert (before.gross, cumulative(report.days)) == (15750, [before.pnl, None])
    drawn = charts(report)
    assert drawn["bridge"] == ""
    page = static_page(report).decode()
    assert "P&amp;L before fees by underlying, of 1 of 2 accounts" in page
    assert "It is not known of every account, or covers sessions that were missed" in page
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(report)))["days"]
    head = [cell.value for cell in sheet[1]]
    assert [sheet.cell(3, head.index(name) + 1).value for name in ("P&L before fees", "P&L of the accounts known")] == [
        None,
        100,
    ]
    return True


def _says_how_many_sessions(report: Report) -> None:
    """The day after: it is whole, and of one account it covers two sessions."""
    assert (report.status, report.totals["day"]) == ("COMPLETE", 90)
    assert {row["account_id"]: row["days_covered"] for row in report.sections["accounts"].rows} == {"100": 1, "200": 2}
    assert report.days[-1].caveat == "covers 2 sessions of 1 account"
    assert cumulative(report.days)[1:] == [None, 190]
    tile = view(report)["kpis"][0]
    assert tile["note"].endswith("before fees, covers 2 sessions of 1 account")
    total = report.sections["bridge"].total
    assert total is not None
    assert (total["sod_equity"], total["eod_equity"], total["carried"]) == (59095, 59190, None)
    assert charts(report)["bridge"] == ""
    assert charts(report)["exposure"].count('class="s-line"') == 2  # before the gap, and behind it


class TestDoubt:
    def test_a_day_that_is_not_whole_is_marked_and_its_totals_are_not_known(self, tmp_path: Path) -> None:
        held = {
            100: [shares("100", "150.00", cost="14500.00", day="2025-10-30")],
            200: [shares("-5", "150.00", cost="-700.00", day="2025-10-30", account=200)],
        }
        history = {
            100: [segment("2025-10-30", "50000", "50000", "0"), segment("2025-10-31", "50000", "50100", "100")],
            200: [segment("2025-10-30", "9000", "9000", "0")],
        }
        books: dict[str, Any] = {"instructions": {}, "executions": {100: [], 200: []}, "history": history}
        with desk(tmp_path, accounts=[100, 200], positions=held, **books) as d:
            d.evening(THURSDAY)
            d.broker.forbidden = {("200", "positions")}
            d.broker.positions["100"] = [shares("100", "151.00", cost="14500.00", day="2025-10-31")]
            d.evening(FRIDAY)
            published(d)
            report = report_of(d.settings)
            assert (report.status, report.complete, report.expected) == ("INCOMPLETE", 1, 2)
            assert report.totals["day"] is None
            page = static_page(report)
            texts = " ".join(_Page(page).texts)
            assert "1 of 2 accounts complete" in texts
            assert "INCOMPLETE: the end of day of 1 of 2 accounts is not known (200)." in texts
            assert "100.00 known, of 1 of 2 accounts" in texts
            assert f"{report.finality} is of prices alone" in texts
            # the positions that are known are on the page, in words, and not added up: they are of one account
            head, *lines = _Page(page).tables["positions"]
            assert [line[head.index("type")] for line in lines] == ["stock"]
            assert report.sections["positions"].total is None
            assert '<div class="mark" aria-hidden="true">INCOMPLETE</div>' in page.decode()
            assert "INCOMPLETE" in PdfReader(io.BytesIO(render_pdf(report))).pages[0].extract_text()
            gap = next(row for row in report.sections["breaks"].rows if row["severity"] == "GAP")
            assert (gap["check_name"], gap["account_id"], gap["age_days"]) == ("FETCH_FAILED", "200", 0)
            assert daybook("report", "-f", "csv", home=tmp_path).code == 3
            assert daybook("report", "-f", "csv", "--account", "100", home=tmp_path).code == 0
            assert _adds_up_no_part(report)
            d.broker.forbidden = set()
            d.broker.books["positions"] = {
                "100": [shares("100", "152.00", cost="14500.00", day="2025-11-03")],
                "200": [shares("-5", "152.00", cost="-700.00", day="2025-11-03", account=200)],
            }
            d.broker.books["portfolio-history"] = {
                "100": [*history[100], segment("2025-11-03", "50100", "50200", "100")],
                "200": [*history[200], segment("2025-11-03", "8995", "8990", "-5")],
            }
            d.evening(MONDAY)
            published(d)
            _says_how_many_sessions(report_of(d.settings))

    def test_a_break_a_stale_price_and_a_quantity_that_nobody_explains_are_shown_with_their_age(
        self, tmp_path: Path
    ) -> None:
        balances = {100: {"account_id": 100, "currency": "USD", "daily_pnl": "7.77"}}
        held = {100: [shares("100", "150.00", cost="14500.00", day="2025-10-30")]}
        books: dict[str, Any] = {"instructions": {}, "executions": {100: []}, "balances": balances}
        with desk(tmp_path, accounts=[100], positions=held, **books) as d:
            d.evening(THURSDAY)
            d.broker.positions["100"] = [
                shares("100", "150.00", cost="14500.00", day="2025-10-30", instrument_price=None)
            ]
            d.evening(FRIDAY)
            d.broker.positions["100"] = [
                shares("60", "150.00", cost="8700.00", day="2025-10-30", instrument_price=None)
            ]
            d.evening(MONDAY)
            published(d)
            found = {(row["check_name"], row["trading_date"]): row for row in rows(d.settings, "breaks")}
            monday = date(2025, 11, 3)
            assert found["total_vs_balances", DAY]["difference"] == Decimal("-7.77")
            assert found["total_vs_balances", DAY]["age_days"] == 1
            assert found["UNEXPLAINED_QUANTITY", monday]["age_days"] == 0
            doubts = {
                row["check_name"]: row["age_days"] for row in rows(d.settings, "breaks") if row["severity"] == "DOUBT"
            }
            stale = [age for name, age in doubts.items() if name.startswith("PRICE_")]
            assert stale == [1]
            page = static_page(report_of(d.settings)).decode()
            assert "The last official close of 1 of 1 held is of an earlier day, the oldest of 2025-10-30." in page

    def test_options_about_to_expire_and_instructions_are_listed(self, tmp_path: Path) -> None:
        option = "d0000000-0000-4000-8000-000000000001"
        contract = {
            "id": option,
            "symbol": "AAPL251107C00140000",
            "underlying_instrument_id": AAPL,
            "contract_type": "CALL",
            "strike_price": "140",
            "expiry": "2025-11-07",
            "multiplier": "100",
        }
        call = shares(
            "2",
            "11.00",
            cost="2000.00",
            day="2025-10-31",
            instrument_id=option,
            instrument_type="OPTION",
            symbol=contract["symbol"],
            underlying_instrument_id=AAPL,
            market_value="2200.00",
            unrealized_pnl="200.00",
        )
        far = {**contract, "id": option[:-1] + "2", "symbol": "AAPL251110C00140000", "expiry": "2025-11-10"}
        later = {**call, "instrument_id": far["id"], "symbol": far["symbol"]}
        instruction = {
            "id": "e0000000-0000-4000-8000-000000000001",
            "account_id": 100,
            "instrument_id": option,
            "symbol": contract["symbol"],
            "instruction_type": "EXERCISE",
            "status": "SENT",
            "quantity": "1",
            "created_at": "2025-10-31T18:00:00Z",
            "updated_at": "2025-10-31T18:00:00Z",
        }
        stock = shares("10", "150.00", cost="1400.00", day="2025-10-31")
        books: dict[str, Any] = {"instructions": {100: [instruction]}, "contracts": [contract, far]}
        with desk(tmp_path, accounts=[100], positions={100: [stock, call, later]}, **books) as d:
            d.evening(FRIDAY)
            published(d)
            (row,) = rows(d.settings, "expiring")
            assert (row["symbol"], row["expiry"], row["sessions_left"]) == (contract["symbol"], date(2025, 11, 7), 5)
            assert (row["underlying_price"], row["in_the_money"]) == (150, 10)
            (told,) = rows(d.settings, "instructions")
            assert (told["instruction_type"], told["status"], told["quantity"]) == ("EXERCISE", "SENT", 1)


class TestHarm:
    def test_no_symbol_becomes_markup_on_a_page(self, hostile: Written) -> None:
        for make in (static_page, interactive_page):
            page = _Page(make(hostile.report))
            names = {tag for tag, _ in page.tags}
            assert not names & {"img", "iframe", "object", "link", "a", "form", "base"}
            assert sum(tag == "script" for tag, _ in page.tags) == (0 if make is static_page else 2)
            assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
            shown = {row[0] for row in page.tables["best"][1:] + page.tables["worst"][1:]}
            assert {"<script>alert(1)</script>", '=HYPERLINK("http://evil.example","x")'} & shown
            assert all(len(symbol) <= 60 for symbol in shown)

    def test_no_page_names_a_place_to_fetch_from(self, hostile: Written) -> None:
        for make in (static_page, interactive_page):
            for tag, attributes in _Page(make(hostile.report)).tags:
                assert not {"src", "href", "srcset", "action", "data"} & attributes.keys(), (tag, attributes)

    def test_texts_that_a_spreadsheet_would_run_are_neutralised_and_negative_numbers_are_not_touched(
        self, hostile: Written
    ) -> None:
        lines = csv_of(hostile, "positions")
        assert {line["symbol"] for line in lines} == {
            f"'{symbol}" if symbol.startswith(("=", "+", "-", "@", "\t", "\r")) else symbol for symbol in HOSTILE
        }
        assert any(line["market_value"].startswith("-") for line in lines)

    def test_no_cell_of_the_workbook_is_a_formula_or_a_link(self, hostile: Written) -> None:
        path = next(path for path in hostile.files if path.suffix == ".xlsx")
        book = openpyxl.load_workbook(path)
        sheet = book["positions"]
        symbols = {sheet.cell(row, 1).value for row in range(2, sheet.max_row + 1)}
        assert '=HYPERLINK("http://evil.example","x")' in symbols
        assert {"X" * 10_000, "-2+3", "🚀🧑‍🚀"} <= symbols
        for each in book:
            cells = [cell for row in each.iter_rows() for cell in row]
            assert all(SUM.fullmatch(str(cell.value)) for cell in cells if cell.data_type == "f")
            assert not any(cell.hyperlink for cell in cells)
        with zipfile.ZipFile(path) as file:
            assert not any("externalLink" in name for name in file.namelist())

    def test_paper_shows_them_as_text(self, hostile: Written) -> None:
        text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(render_pdf(hostile.report))).pages)
        assert "<script>alert(1)</script>" in text
        assert '=HYPERLINK("http://evil.example","x")' in text

    def test_files_are_named_by_dates_alone_and_are_for_this_user(self, hostile: Written) -> None:
        reports = hostile.files[0].parent
        assert sorted(path.name for path in reports.iterdir()) == [
            "report_2025-10-31.html",
            "report_2025-10-31.pdf",
            "report_2025-10-31.xlsx",
            "report_2025-10-31_csv",
            "report_2025-10-31_interactive.html",
        ]
        assert {path.stat().st_mode & 0o777 for path in hostile.files} == {0o600}

    @given(st.text())
    def test_no_text_begins_as_a_formula(self, text: str) -> None:
        assert not exact(text).startswith(("=", "+", "-", "@", "\t", "\r"))
        assert exact(text).removeprefix("'") == text.removeprefix("'")

    @given(st.decimals(allow_nan=False, allow_infinity=False, places=10))
    def test_a_number_keeps_its_sign_and_every_digit(self, number: Decimal) -> None:
        assert Decimal(exact(number)) == number
        assert exact(number) == f"{number:f}"

    @given(st.text(max_size=300))
    def test_what_is_shown_is_short_and_has_no_control_in_it(self, text: str) -> None:
        assert len(short(text)) <= 6 * 48
        assert all(
            letter.isprintable() or letter in " \u200d\u00a0\u3000" or ord(letter) > 0x7F for letter in short(text)
        )


class TestAttention:
    """The first page counts what the tables after it list."""

    def test_what_somebody_should_look_at_is_counted_the_worst_first(self, small: Settings) -> None:
        report = report_of(small)
        found = [item["text"] for item in view(report)["attention"]]
        assert found[0] == "2 breaks with the broker"
        assert _words(static_page(report), "attention") == f"To look at: {' · '.join(found)}"
        first = " ".join(PdfReader(io.BytesIO(render_pdf(report))).pages[0].extract_text().split())
        assert f"To look at: {' · '.join(found)}" in first

    def test_of_breaks_the_age_of_the_oldest_is_told(self, small: Settings) -> None:
        report = report_of(small)
        row = {**report.sections["breaks"].rows[0], "severity": "BREAK", "age_days": 4}
        aged = _with_rows(report, breaks=[*report.sections["breaks"].rows, row])
        assert view(aged)["attention"][0]["text"] == "3 breaks with the broker (the oldest 4 sessions)"

    def test_where_there_is_nothing_to_look_at_it_says_so(self, small: Settings) -> None:
        quiet = _with_rows(report_of(small), breaks=[], expiring=[], instructions=[], restatements=[])
        assert _words(static_page(quiet), "attention") == "To look at: nothing"

    def test_what_several_readings_of_an_evening_say_alike_is_one_line_that_names_what_was_read(
        self, tmp_path: Path
    ) -> None:
        with two_evenings(tmp_path, SYMBOLS[:2]) as d:  # whose broker knows no balances
            d.evening("2025-10-31T21:30:00+00:00")
            published(d)
            ((said, runs),) = sql(
                d.settings,
                "select count(*), count(distinct run_id) from quality.finding "
                f"where check_name = 'fetch_failed' and trading_date = '{DAY}' and account_id = '100'",
            )
            told = [row["message"] for row in rows(d.settings, "breaks") if row["check_name"] == "fetch_failed"]
            assert runs == 2 < said
            assert sum(text.startswith("balances of account 100: the broker answered 403") for text in told) == 1
            assert len(told) == len(set(told))
            assert all(" of " in text.partition(": ")[0] for text in told)

    def test_prices_that_may_still_change_make_a_flash(self, tmp_path: Path) -> None:
        held = {100: [shares("100", "150.00", cost="14500.00", day="2025-10-29")]}
        with desk(tmp_path, accounts=[100], positions=held, instructions={}) as d:
            d.evening(THURSDAY)
            published(d)
            report = report_of(d.settings)
            assert report.finality == "FLASH"
            assert _words(static_page(report), "finality") == "FLASH"
            assert "prices may still change" in PdfReader(io.BytesIO(render_pdf(report))).pages[0].extract_text()

    def test_books_that_break_a_rule_say_so_before_any_figure(self, small: Settings) -> None:
        broken = replace(report_of(small), status="BROKEN")
        texts = " ".join(_Page(static_page(broken)).texts)
        assert texts.index("BROKEN: a rule that the books must keep does not hold") < texts.index("P&L of the day")


class TestMail:
    def test_a_program_that_knows_no_variables_still_has_every_colour(self, small: Settings) -> None:
        style = static_page(report_of(small)).decode().partition("<style>")[2].partition("</style>")[0]
        rules = re.findall(r"\{([^{}]*var\([^{}]*)\}", style)
        assert len(rules) > 20
        for rule in rules:
            said = [declaration.partition(":") for declaration in rule.split(";") if declaration]
            for number, (name, _, value) in enumerate(said):
                if "var(" in value:
                    assert said[number - 1][0] == name, rule
                    assert "var(" not in said[number - 1][2], rule

    def test_figures_need_no_style_and_no_drawing(self, small: Settings) -> None:
        page = static_page(report_of(small)).decode()
        bare = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<meta[^>]*>", "", page, flags=re.DOTALL)
        read = _Page(bare.encode())
        ((total,),) = sql(small, f"select total_pnl from pnl.account_daily where trading_date = '{DAY}'")
        assert read.tables["accounts"][1][3] == f"{total:,.2f}"
        assert read.tables["bridge"][1][-2] == f"{Decimal('9.99') - total:,.2f}"  # unexplained, without its bar
        assert all("style" not in attributes for _, attributes in read.tags)
        right = [attributes.get("align") for tag, attributes in read.tags if tag == "td"]
        assert right.count("right") > len(right) / 2


def _words(page: bytes, identity: str) -> str:
    """The text of one element of a page."""
    inside = page.decode().partition(f'id="{identity}">')[2]
    inside = inside.partition("</p>")[0] if identity == "attention" else inside.partition("<")[0]
    return html.unescape(re.sub("<[^>]*>", "", inside))


def _with_rows(report: Report, **given: list[Any]) -> Report:
    filled = {name: report.sections[name].filled(found) for name, found in given.items()}
    return replace(report, sections={**report.sections, **filled})


class TestSize:
    def test_a_year_of_days_and_thousands_of_positions_still_survive_mail(self, small: Settings) -> None:
        report = report_of(small)
        many = [
            {**row, "symbol": f"{row['symbol']}{number}"}
            for number in range(1_000)
            for row in report.sections["positions"].rows
        ]
        grown = {
            name: section.filled(list(section.rows) * 100, section.total) for name, section in report.sections.items()
        }
        grown["positions"] = report.sections["positions"].filled(many)
        big = replace(report, sections=grown, days=_year(report.days[-1]))
        assert len(static_page(big)) <= 100 * 1024
        assert len(interactive_page(big)) <= 1_500_000
        data = _data(interactive_page(big))
        assert (len(data["days"]), len(data["rows"])) == (600, 4_000)
        assert len(PdfReader(io.BytesIO(render_pdf(big))).pages) < 12


def _year(last: DayTotals) -> list[DayTotals]:
    days = [last.date - timedelta(days=each) for each in range(839, -1, -1)]
    sessions = [day for day in days if day.weekday() < 5][-600:]
    return [replace(last, date=day, pnl=Decimal((n * 7919) % 10_007) - 5_000) for n, day in enumerate(sessions)]


def _data(page: bytes) -> dict[str, Any]:
    text = page.decode().partition('id="data">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--date", "2025-11-01"], "2025-11-01 is not a trading day: the one before it is 2025-10-31."),
        (["--date", "2025-10-29"], "There is no end of day of 2025-10-29 in these books: they begin on 2025-10-30"),
        (["--date", "1999-12-31"], "The shipped sessions begin on 2000-01-03"),
        (["--date", "2025-02-30"], "is not a date: write it like 2005-02-28"),
        (["--account", "999"], "These books have no account '999': they have 100."),
        (["--account", "'; drop table x; --"], "These books have no account"),
        (["--as-known-at", "2025-10-01T00:00:00Z"], "Nothing was known at 2025-10-01 00:00:00 UTC: the first run"),
        (["--date", "2025-10-31", "--as-known-at", "2025-10-31T12:00:00Z"], "Nothing was known of 2025-10-31 at"),
        (["--as-known-at", "2025-10-31"], "is not an instant: write it with its time zone"),
        (["--as-known-at", "0001-01-01T00:00:00+10:00"], "is not an instant"),
        (["--format", "docx"], "--format 'docx' is not known: give some of html,pdf,xlsx,csv."),
    ],
)
def test_bad_input_gets_one_sentence_and_writes_nothing(
    small: Settings,
    arguments: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DAYBOOK_HOME", str(small.home))
    monkeypatch.setattr(sys, "warnoptions", ["default"])  # a command silences warnings for good; a test must not
    before = sorted(small.reports.iterdir())
    assert main(["report", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert said.err.count("\n") == 1
    assert sorted(small.reports.iterdir()) == before


def test_a_gap_is_said_to_be_one(tmp_path: Path) -> None:
    held = {100: [shares("100", "150.00", cost="14500.00", day="2025-10-30")]}
    with desk(tmp_path, accounts=[100], positions=held, instructions={}) as d:
        d.evening(THURSDAY)
        d.evening(MONDAY)
        published(d)
        with pytest.raises(ConfigurationError, match="2025-10-31 is a gap: its end of day was not read"):
            write_report(d.settings, CATALOG, DAY)


def test_before_anything_is_published_the_command_says_so(tmp_path: Path) -> None:
    ended = daybook("report", home=tmp_path)
    assert ended.code == 1
    assert "Nothing has been published" in ended.sentence


def test_the_command_says_where_the_files_are(small: Settings) -> None:
    ended = daybook("report", "--format", "html,csv", home=small.home)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == "2025-10-31 is COMPLETE FINAL: 1 of 1 accounts complete"
    assert f"{small.reports}/report_2025-10-31.html" in ended.out
    found = json.loads(daybook("report", "--format", "html", "--json", home=small.home).out)
    ((total,),) = sql(small, f"select total_pnl from pnl.account_daily where trading_date = '{DAY}'")
    assert Decimal(found["total_pnl"]) == total


class TestEvening:
    @pytest.fixture
    def settings(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
        held = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-31")]}
        with BrokerServer(accounts=[100], positions=held, instructions={}) as server:
            server.now = datetime.fromisoformat(FRIDAY)
            monkeypatch.setenv("CLEAR_STREET_BASE_URL", server.url)
            monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path))
            monkeypatch.delenv("DAYBOOK_ACCOUNTS", raising=False)
            monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))  # so that what eod sets is undone
            yield Settings(base_url=server.url, home=tmp_path)

    def test_an_evening_ends_with_its_report_and_dagster_shows_it(self, settings: Settings) -> None:
        told: list[ProgressEvent] = []
        assert run_end_of_day(settings, told.append).exit_code == 0
        assert ReportWritten(settings.reports / "report_2025-10-31.html") in told
        # it is the last session of a month
        month = PerformanceWritten(settings.reports / "performance_month_2025-10-31.html")
        assert [event for event in told if isinstance(event, PerformanceWritten)] == [month]
        assert month.path.exists()
        with dg.DagsterInstance.get() as instance:
            event = instance.get_latest_materialization_event(dg.AssetKey("report"))
        assert event is not None
        assert event.asset_materialization is not None
        metadata = event.asset_materialization.metadata
        assert metadata["file"].value == str(settings.reports / "report_2025-10-31.html")
        preview = str(metadata["preview"].value)
        assert preview.startswith("**Friday 31 October 2025** · COMPLETE FINAL · 1 of 1 accounts complete")
        assert "| 100 | COMPLETE |" in preview

    def test_the_command_that_closes_the_day_says_where_the_report_is(self, settings: Settings) -> None:
        ended = daybook("eod", home=settings.home, url=settings.base_url, timeout=200)
        assert ended.code == 0, ended.err
        assert f"The report is {settings.reports}/report_2025-10-31.html" in ended.out
        assert f"A performance report is {settings.reports}/performance_month_2025-10-31.html" in ended.out

    def test_a_report_that_fails_leaves_the_books_published(self, settings: Settings) -> None:
        settings.prepare_home()
        (settings.reports / "report_2025-10-31.html").mkdir()
        with pytest.raises(DaybookError, match="The books of 2025-10-31 are published, but their report could not"):
            run_end_of_day(settings)
        assert sql(settings, "select status from quality.day") == [("COMPLETE",)]
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs()
            failed = [
                record.step_key
                for record in instance.all_logs(run.run_id)
                if record.is_dagster_event and record.get_dagster_event().is_step_failure
            ]
        assert failed == ["report"]


def test_a_wheel_has_the_templates_and_the_questions(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[2]
    (wheel,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as file:
        inside = set(file.namelist())
    report = root / "pipelines" / "report"
    needed = {path.relative_to(root).as_posix() for path in report.rglob("*.*") if "__pycache__" not in path.parts}
    assert {Path(name).suffix for name in needed} == {".py", ".sql", ".j2", ".css", ".js", ".typ"}
    assert needed <= inside
