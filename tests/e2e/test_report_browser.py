"""The report in a real browser: numbers equal SQL, hostile symbols are text, and it asks nobody for anything."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.catalog import CATALOG
from pipelines.report.write import write_report
from pipelines.settings import Settings
from pipelines.warehouse.connect import open_published
from tests.support.browser import Tab, needs_chromium, page
from tests.support.report_books import HOSTILE, segment, two_evenings

pytestmark = [needs_chromium, pytest.mark.heavy]
DAY = date(2025, 10, 31)
CELLS = "[...document.querySelectorAll({!r})].map((cell) => cell.textContent.trim())"

#: Words of a chart that lie on each other.
TOUCHING = """
    [...document.querySelectorAll('figure svg')].flatMap((svg) => {
        const boxes = [...svg.querySelectorAll('text')].map((text) => text.getBoundingClientRect());
        const touch = (p, q) =>
            p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1;
        return boxes.flatMap((p, n) => boxes.slice(n + 1).filter((q) => touch(p, q)).map((q) => [p.x, q.x]));
    })
"""
#: More evenings than the books of this module have.
EVENINGS = """
    data.days = Array.from({length: 40}, (_, n) => ({...data.days[0], date: `2025-${10 + n % 2}-${10 + n % 19}`})), 1
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """3,000 positions over two evenings, some of them with names that mean harm."""
    symbols = [*HOSTILE, *(f"SYM{number:04}" for number in range(3_000 - len(HOSTILE)))]
    history = {100: [segment("2025-10-31", "500000.00", "500029.97", "29.97")]}
    with two_evenings(tmp_path_factory.mktemp("books"), symbols, history=history) as made:
        write_report(made.settings, CATALOG, formats=["html"])
        return made.settings


@pytest.fixture
def tab() -> Iterator[Tab]:
    with page() as made:
        yield made


def sql(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with open_published(settings.published) as con:
        return con.execute(query).fetchall()


def file(settings: Settings, suffix: str = "") -> Path:
    return settings.reports / f"report_{DAY}{suffix}.html"


def look_everywhere(tab: Tab, path: Path, name: str) -> None:
    """Open a page at a laptop's and a phone's width, light and dark, and keep pictures."""
    for width, dark in ((1366, False), (1366, True), (390, False), (390, True)):
        tab.look(width, 900, dark=dark)
        tab.open(path.as_uri())
        assert tab.run("document.documentElement.scrollWidth") <= width  # tables scroll, the page does not
        assert tab.run("[...document.querySelectorAll('.kpis div')].every((box) => box.scrollWidth <= box.clientWidth)")
        paper, ink = (tab.run(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
        assert (brightness(paper) < brightness(ink)) is dark
        tab.keep(f"{name}_{width}_{'dark' if dark else 'light'}")


def brightness(colour: str) -> int:
    """How light a computed colour such as rgb(18, 22, 29) is."""
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize("suffix", ["", "_interactive"])
def test_the_page_says_what_sql_says_asks_nobody_and_logs_nothing(tab: Tab, settings: Settings, suffix: str) -> None:
    path = file(settings, suffix)
    look_everywhere(tab, path, f"report{suffix}")
    ((total, gross),) = sql(
        settings,
        "select total_pnl, gross from pnl.account_daily join pnl.exposure_daily using (account_id, trading_date) "
        f"where trading_date = '{DAY}'",
    )
    row = tab.run(CELLS.format("#accounts tbody td"))
    assert (row[0], row[3], row[11]) == ("100", f"{total:,.2f}", f"{gross:,.2f}")
    best = sql(
        settings,
        f"select total_pnl from pnl.position_daily where trading_date = '{DAY}' order by total_pnl desc limit 10",
    )
    assert tab.run(CELLS.format("#best tbody td:last-child")) == [f"{amount:,.2f}" for (amount,) in best]
    assert tab.run("document.getElementById('known-at').textContent") == "2025-10-31 20:30:00 UTC"
    assert tab.trouble == []
    assert {url.partition("?")[0] for url in tab.requests} == {path.as_uri()}


@pytest.mark.parametrize("suffix", ["", "_interactive"])
def test_three_positions_make_a_page_as_well(tab: Tab, tmp_path: Path, suffix: str) -> None:
    history = {100: [segment("2025-10-31", "160802240000.00", "160802240029.97", "29.97")]}  # a figure that needs room
    with two_evenings(tmp_path, ("AAPL", "MSFT", "IBM"), history=history) as made:
        write_report(made.settings, CATALOG, formats=["html"])
        path = file(made.settings, suffix)
        look_everywhere(tab, path, f"report_of_three{suffix}")
        found = (
            "select symbol, total_pnl from pnl.position_daily where trading_date = '2025-10-31' order by abs(total_pnl)"
        )
        expected = {(symbol, f"{total:,.2f}") for symbol, total in sql(made.settings, found)}
    rows = tab.run(
        "[...document.querySelectorAll('#best tbody tr, #worst tbody tr')]"
        ".map((row) => [row.cells[0], row.cells[row.cells.length - 1]].map((cell) => cell.textContent.trim()))"
    )
    assert {tuple(row) for row in rows} == expected
    assert tab.run("document.getElementById('attention').textContent").startswith(
        "To look at: 2 breaks with the broker"
    )
    # what each of them made is on a phone's screen, not beyond its edge
    edge = (
        "Math.max(...[...document.querySelectorAll('#best td, #worst td')].map((c) => c.getBoundingClientRect().right))"
    )
    assert tab.run(edge) <= 390
    assert tab.trouble == []
    assert {url.partition("?")[0] for url in tab.requests} == {path.as_uri()}


def test_hostile_symbols_are_text_among_all_positions(tab: Tab, settings: Settings) -> None:
    tab.look(1440, 900)
    tab.open(file(settings, "_interactive").as_uri())
    assert tab.run("document.getElementById('found').textContent") == "1\N{EN DASH}50 of 3,000"
    for words, shown in (
        ("<script>", "<script>alert(1)</script>"),
        ("onerror", '"><img src=http://evil.example/x onerror=alert(…'),
        ("=hyperlink", '=HYPERLINK("http://evil.example","x")'),
        ("שלום", "שלום\\u202e123"),
        ("🚀", "🚀🧑‍🚀"),
        ("xxxxxxxx", "X" * 47 + "…"),
        ("]]>", "</script></svg>]]>"),
        ("7*7", "{{ 7*7 }}"),
    ):
        tab.run(f"document.getElementById('words').value = {json.dumps(words)}")
        tab.run("document.getElementById('words').dispatchEvent(new Event('input')), 1")
        assert tab.run(CELLS.format("#explorer tbody td:first-child")) == [shown]
    assert tab.run("document.images.length + document.querySelectorAll('script').length") == 2  # the data, and ours
    assert tab.trouble == []
    assert len(tab.requests) == 1


def test_every_position_can_be_paged_sorted_and_its_numbers_are_those_of_sql(tab: Tab, settings: Settings) -> None:
    tab.look(1440, 900)
    tab.open(file(settings, "_interactive").as_uri())
    tab.run("document.querySelectorAll('#explorer th button')[6].click(), 1")  # value, the largest first
    expected = sql(
        settings,
        f"select market_value from pnl.position_daily where trading_date = '{DAY}' order by market_value desc",
    )
    seen: list[str] = []
    while True:
        seen += tab.run(CELLS.format("#explorer tbody td:nth-child(7)"))
        if tab.run("document.getElementById('further').disabled"):
            break
        tab.run("document.getElementById('further').click(), 1")
    assert seen == [f"{amount:,.2f}" for (amount,) in expected]
    sorted_by = "[...document.querySelectorAll('#explorer th[aria-sort]')].map((each) => each.textContent)"
    assert tab.run(sorted_by) == ["value"]
    tab.open(file(settings, "_interactive").as_uri())
    assert tab.run(sorted_by) == ["P&L before fees"]  # as it opens
    arrow = "getComputedStyle(document.querySelector('#explorer th[aria-sort] button'), '::after').content"
    assert "▼" in tab.run(arrow)


def test_charts_tell_the_day_under_the_pointer_and_zoom(tab: Tab, settings: Settings) -> None:
    tab.look(1440, 900)
    tab.open(file(settings, "_interactive").as_uri())
    tab.run("document.querySelector('#chart-pnl svg').scrollIntoView({block: 'center'}), 1")
    box = tab.run("JSON.parse(JSON.stringify(document.querySelector('#chart-pnl svg').getBoundingClientRect()))")
    tab.mouse("mouseMoved", box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    assert tab.run("document.getElementById('tip').textContent.split(/\\s+/)") == [
        "2025-10-31",
        "P&L",
        "29.97",
        "cumulative",
        "29.97",
    ]
    tab.run("[...document.querySelectorAll('#range button')].find((button) => button.textContent === '1M').click(), 1")
    assert "2025-10-30 to 2025-10-31" in tab.run("document.querySelector('#range span').textContent")
    # evenings in plenty, of which any few are looked at
    tab.run(EVENINGS)
    for width in (1440, 390):
        tab.look(width, 900)
        for number in range(2, 40):
            tab.run(f"zoom(0, {number - 1}, null), 1")
            assert tab.run(TOUCHING) == [], (width, number)
    assert tab.trouble == []


def test_the_page_for_mail_needs_no_script_and_stays_small(tab: Tab, settings: Settings) -> None:
    assert file(settings).stat().st_size <= 100 * 1024
    assert file(settings, "_interactive").stat().st_size <= 1_500_000
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    tab.look(1440, 900)
    tab.open(file(settings).as_uri())
    assert tab.run("document.querySelectorAll('script').length") == 0
    assert tab.run("document.querySelectorAll('#chart-bridge svg rect').length") == 8


def test_what_a_program_for_mail_leaves_of_the_page_still_tells_the_day(
    tab: Tab, settings: Settings, tmp_path: Path
) -> None:
    """Some drop drawings, some know no variables, some take the style away altogether."""
    page = file(settings).read_text(encoding="utf-8").replace("\n", " ")
    page = re.sub(r"<meta http-equiv[^>]*>|<svg.*?</svg>", "", page)
    plain = re.sub(r"(?<=[{;])[a-z-]+:[^;{}]*var\([^;{}]*;?", "", page)
    for name, left in (("no_variables", plain), ("no_style", re.sub(r"<style>.*?</style>", "", page))):
        (tmp_path / f"{name}.html").write_text(left, encoding="utf-8")
        tab.look(720, 900)
        tab.open((tmp_path / f"{name}.html").as_uri())
        tab.keep(f"report_in_mail_{name}")
        ((total,),) = sql(settings, f"select total_pnl from pnl.account_daily where trading_date = '{DAY}'")
        assert tab.run(CELLS.format("#accounts tbody td"))[3] == f"{total:,.2f}"
        figure = "getComputedStyle(document.querySelectorAll('#accounts tbody td')[3]).textAlign"
        assert tab.run(figure) in ("right", "-webkit-right")
        assert tab.trouble == []
    tab.open((tmp_path / "no_variables.html").as_uri())
    loss = "getComputedStyle(document.querySelector('#worst tbody td:last-child')).color"
    assert tab.run(loss) == "rgb(196, 55, 43)"
