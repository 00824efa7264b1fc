"""F1: a run that is killed with SIGKILL loses nothing, shows nothing by halves, and the next run makes it good."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from assets.catalog import CATALOG
from pipelines.report.write import write_report
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.fault_books import Books, close_day, derived, friday, published, raw_runs
from tests.support.kill import kill
from tests.support.killer import LANDED, POINTS

State = tuple[Books, list[Books]]


@pytest.fixture(scope="session")
def undisturbed(home_of_thursday: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[State, State]:
    """The published books before and after a Friday evening that nothing disturbed."""
    with friday(home_of_thursday, tmp_path_factory.mktemp("friday") / "home") as (_, settings):
        before = published(settings)
        close_day(settings)
        return before, published(settings)


def assert_made_good(settings: Settings, undisturbed: tuple[State, State], *, kept: int) -> None:
    """After a normal run the books are those of an undisturbed one; every killed run is in raw whole, or not at all."""
    _, (books, runs) = undisturbed
    snapshot = close_day(settings)
    assert snapshot.alerts == []
    now, landed = published(settings)
    assert now == books
    assert landed[:1] == runs[:1]
    assert landed[1:] == [runs[1]] * (1 + kept)
    with warehouse_session(settings, wait=0) as con:
        assert (derived(con), raw_runs(con)) == (now, landed)


def assert_untouched(settings: Settings, home_of_thursday: Path) -> None:
    """The published copy is the one of before to the byte, and nothing lies beside it that would be read with it."""
    before = Settings(base_url=settings.base_url, home=home_of_thursday).published
    assert settings.published.read_bytes() == before.read_bytes()
    assert not settings.published.with_name(settings.published.name + ".wal").exists()


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_there_shows_nothing_by_halves_and_the_next_makes_it_good(
    point: str, home_of_thursday: Path, undisturbed: tuple[State, State], tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (_, settings):
        kill(point, settings)
        if POINTS[point].seen:
            assert published(settings) == undisturbed[1]
        else:
            assert_untouched(settings, home_of_thursday)
        assert_made_good(settings, undisturbed, kept=POINTS[point].kept)
    assert not list(settings.home.glob("daybook.duckdb.*.publishing*"))
    assert not (settings.home / "quarantine").exists()


@pytest.mark.parametrize(
    "points",
    [
        ("after the load of positions", "before the load is noted"),
        ("after dlt extracted", "after the load of extract_manifest"),
        ("after the load is noted", "after the last select, uncommitted"),
        ("after the build", "before the swap is on disk"),
    ],
)
def test_a_run_killed_while_it_makes_a_killed_one_good_is_made_good_too(
    points: tuple[str, ...], home_of_thursday: Path, undisturbed: tuple[State, State], tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (_, settings):
        for point in points:
            kill(point, settings)
            assert published(settings) in undisturbed or POINTS[point].seen
        _, (books, runs) = undisturbed
        close_day(settings)
        now, landed = published(settings)
        assert now == books
        assert all(run == runs[1] for run in landed[1:])


@pytest.mark.parametrize("point", [point for point in POINTS if "report" in point])
def test_a_report_that_was_killed_is_written_again_to_the_byte(
    point: str, home_of_thursday: Path, tmp_path: Path
) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (_, settings):
        kill(point, settings)
        there = {path.name: path.read_bytes() for path in written(settings)}
        write_report(settings, CATALOG)
        whole = {path.name: path.read_bytes() for path in written(settings)}
        assert len(whole) > len(there)
        assert there == {name: whole[name] for name in there}


def written(settings: Settings) -> list[Path]:
    """The files of the reports that have their names."""
    return [path for path in settings.reports.rglob("*") if path.is_file() and path.suffix != ".part"]


def test_the_first_run_of_all_may_be_killed_too(tmp_path: Path, home_of_thursday: Path) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (server, _):
        settings = Settings(base_url=server.url, home=tmp_path / "new")
        calm = Settings(base_url=server.url, home=tmp_path / "calm")
        close_day(calm)
        for point in ("after the load of positions", "after the last select, uncommitted", "before the swap"):
            kill(point, settings)
            assert not settings.published.exists()
        close_day(settings)
        assert published(settings)[0] == published(calm)[0]


def test_every_table_that_a_run_lands_has_its_kill_points(home_of_thursday: Path, tmp_path: Path) -> None:
    with friday(home_of_thursday, tmp_path / "home") as (_, settings):
        run = close_day(settings).run_id
        with warehouse_session(settings, wait=5) as con:
            tables = con.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
            of_run = "_dlt_load_id = (select _dlt_load_id from raw.extract_run where run_id = $1)"
            found = {
                name
                for (name,) in tables
                if not name.startswith("_dlt")
                and con.execute(f"select exists (from raw.{name} where {of_run})", [run]).fetchone() == (True,)
            }
    assert found == set(LANDED)


def test_whoever_looks_during_a_run_sees_the_books_before_it_or_after_it(
    home_of_thursday: Path, undisturbed: tuple[State, State], tmp_path: Path
) -> None:
    seen: list[State] = []
    done = threading.Event()

    with friday(home_of_thursday, tmp_path / "home") as (_, settings):

        def look() -> None:
            while not done.is_set():
                seen.append(published(settings))

        looking = threading.Thread(target=look)
        looking.start()
        try:
            close_day(settings)
        finally:
            done.set()
            looking.join()
        seen.append(published(settings))
    assert len(seen) > 3
    assert [state for state in seen if state not in undisturbed] == []
    assert (seen[0], seen[-1]) == undisturbed
