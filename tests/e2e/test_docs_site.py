"""The documentation as a site: built strictly, every page in reach, and a search that asks nobody."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Tab, needs_chromium, page
from tests.tools.docs_site import ROOT, places, put_together

ZENSICAL = ROOT / ".venv-docs" / "bin" / "zensical"

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not ZENSICAL.is_file(), reason="the site's tools are not installed (make docs)"),
]


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [ZENSICAL, "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    put_together(folder / ".site")
    shutil.copy(ROOT / "zensical.toml", folder)
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with page() as opened:
        opened.look(1280, 900)
        yield opened


def test_every_page_is_built_and_its_way_is_in_the_navigation_or_on_the_page_of_queries(site: Path) -> None:
    pages = {Path(place).with_suffix(".html").as_posix() for place in places().values() if place.endswith(".md")}
    assert {path.relative_to(site).as_posix() for path in site.rglob("*.html")} == {*pages, "404.html"}
    home, queries = (site / "index.html").read_text(), (site / "sql" / "index.html").read_text()
    reached = set(re.findall(r'href="(?:\./)?([\w/-]+\.html)', home))
    reached |= {f"sql/{name}" for name in re.findall(r'href="(\w+\.html)"', queries)}
    assert pages - reached == set()


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r'<(?:script|link|img|iframe)[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"')
    assert [(path, found) for path in site.rglob("*.html") if (found := fetched.findall(path.read_text()))] == []


@needs_chromium
def test_the_search_finds_a_table_without_a_server(site: Path, tab: Tab) -> None:
    tab.open((site / "index.html").as_uri())
    tab.run("document.querySelector('.md-search__button').click()")
    results = "[...document.querySelectorAll('*')].flatMap((e) => [...e.shadowRoot?.querySelectorAll('li a') ?? []])"
    deadline = time.monotonic() + 30
    typed = False
    while not (found := tab.run(f"{results}.map((a) => a.href)")) or not typed:
        assert time.monotonic() < deadline, tab.trouble
        if not typed and tab.run("document.activeElement.shadowRoot?.activeElement?.tagName === 'INPUT'"):
            tab.ask("Input.insertText", text="exposure_daily")
            typed = True
        time.sleep(0.1)
    assert re.fullmatch(r".*/data-dictionary\.html\?h=exposure_daily#pnlexposure_daily", found[0])
    tab.open(found[0])
    assert tab.run("document.querySelector(location.hash).textContent").startswith("pnl.exposure_daily")
    assert {url for url in tab.requests if not url.startswith(("file:", "data:"))} == set()
    assert [each for each in tab.trouble if each["params"].get("entry", {}).get("level") != "info"] == []


def test_a_link_that_leads_nowhere_fails_the_build(site: Path) -> None:
    astray = site.parent / ".site" / "astray.md"
    astray.write_text("# Astray\n\n[nowhere](nowhere.md)\n")
    try:
        assert build(site.parent).returncode != 0
    finally:
        astray.unlink()


def test_the_navigation_names_only_pages_that_are_there() -> None:
    said = re.findall(r'"([\w./-]+\.md)"', (ROOT / "zensical.toml").read_text())
    assert tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["docs_dir"] == ".site"
    assert set(said) <= set(places().values())
