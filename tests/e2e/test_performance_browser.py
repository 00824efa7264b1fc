"""The performance report of a month and of ten years in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from itertools import cycle
from pathlib import Path

import pytest

from assets.catalog import CATALOG
from pipelines.report.performance.write import write_performance
from pipelines.settings import Settings
from tests.support.broker_server import account
from tests.support.browser import Tab, needs_chromium, page
from tests.support.desk import FRIDAY, THURSDAY, desk, fill, shares
from tests.support.evenings import CALENDAR
from tests.support.report_books import published, segment

pytestmark = [needs_chromium, pytest.mark.heavy]
RATES = ("0.004", "-0.006", "0.002", "0", "0.011", "-0.003", "0.001", "-0.0125", "0.009", "0.0005", "-0.003")
CELLS = "[...document.querySelectorAll({!r})].map((cell) => cell.textContent)"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An account of ten years, two evenings of which are in the books, and a benchmark beside it."""
    history, sod, lines = [], Decimal(20000), ["name,trading_date,close"]
    for number, (session, rate) in enumerate(
        zip(CALENDAR.sessions(date(2015, 11, 2), date(2025, 10, 31)), cycle(RATES), strict=False)
    ):
        net = (sod * Decimal(rate)).quantize(Decimal("0.01"))
        history.append(segment(session.date.isoformat(), str(sod), str(sod + net), str(net)))
        lines.append(f"Market,{session.date},{1000 + number % 97 + number}")
        sod += net
    held = {100: [shares("100", "150.50", cost="14500.00", day="2025-10-30")]}
    opened = [account(100, open_date="2015-11-02")]
    with desk(
        tmp_path_factory.mktemp("years"),
        accounts=opened,
        positions=held,
        instructions={},
        executions={100: []},
        balances={100: {"account_id": 100, "currency": "USD", "equity": "1"}},
        history={100: history},
    ) as made:
        made.evening(THURSDAY)
        made.broker.positions["100"] = [shares("60", "151.00", cost="8700.00", day="2025-10-31")]
        fills = made.broker.books["executions"]
        assert fills is not None
        fills["100"] = [fill(1, "SELL", "40", "152.00", "2025-10-31T15:00:00+00:00")]
        made.evening(FRIDAY)
        published(made)
        made.settings.benchmarks.write_text("\n".join(lines))
        for period in ("month", "all"):
            write_performance(made.settings, CATALOG, period, formats=["html"])
        return made.settings


@pytest.fixture
def tab() -> Iterator[Tab]:
    with page() as made:
        yield made


def file(settings: Settings, period: str, suffix: str = "") -> Path:
    return settings.reports / f"performance_{period}_2025-10-31{suffix}.html"


@pytest.mark.parametrize("period", ["month", "all"])
@pytest.mark.parametrize("suffix", ["", "_interactive"])
def test_it_fits_a_laptop_and_a_phone_light_and_dark_asks_nobody_and_logs_nothing(
    tab: Tab, settings: Settings, period: str, suffix: str
) -> None:
    path = file(settings, period, suffix)
    for width, dark in ((1366, False), (1366, True), (390, False), (390, True)):
        tab.look(width, 900, dark=dark)
        tab.open(path.as_uri())
        assert tab.run("document.documentElement.scrollWidth") <= width  # tables scroll, the page does not
        assert tab.run("[...document.querySelectorAll('.kpis div')].every((box) => box.scrollWidth <= box.clientWidth)")
        tab.keep(f"performance_{period}{suffix}_{width}_{'dark' if dark else 'light'}")
    drawn = ("growth", "pnl", "drawdown", "exposure", "volatility", "sharpe", "distribution", "contribution")
    assert [name for name in drawn if not tab.run(f"!!document.querySelector('#chart-{name} svg path')")] == []
    assert tab.run(CELLS.format("#benchmarks tbody td"))[0] == "Market"
    assert len(tab.run(CELLS.format("#monthly tbody tr"))) == 11  # years, parts of the first and the last
    assert tab.trouble == []
    assert {url.partition("?")[0] for url in tab.requests} == {path.as_uri()}


def test_the_page_of_ten_years_still_survives_mail(settings: Settings) -> None:
    assert file(settings, "all").stat().st_size <= 100 * 1024
    assert file(settings, "all", "_interactive").stat().st_size <= 1_500_000


def test_charts_tell_both_curves_under_the_pointer_and_zoom(tab: Tab, settings: Settings) -> None:
    tab.look(1440, 900)
    tab.open(file(settings, "month", "_interactive").as_uri())
    tab.run("document.querySelector('#chart-growth svg').scrollIntoView({block: 'center'}), 1")
    box = tab.run("JSON.parse(JSON.stringify(document.querySelector('#chart-growth svg').getBoundingClientRect()))")
    tab.mouse("mouseMoved", box["x"] + 0.99 * box["width"], box["y"] + box["height"] / 2)
    told = tab.run("document.getElementById('tip').textContent.split(/\\s+/)")
    assert (told[0], told[1], told[4]) == ("2025-10-31", "accounts", "Market")
    month = tab.run(CELLS.format("#accounts tbody td"))
    assert f"{told[2]} %" == month[8]  # the return of the month, as the table has it
    tab.run("[...document.querySelectorAll('#range button')].find((button) => button.textContent === 'all').click(), 1")
    assert "2025-10-01 to 2025-10-31" in tab.run("document.querySelector('#range span').textContent")
    assert tab.trouble == []
