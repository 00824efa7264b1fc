"""F30: nobody is told COMPLETE of books that nobody will see: a warehouse or a copy that was swapped under a run."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from daybook.cli.app import main
from pipelines.books import build as building
from pipelines.errors import BuildFailed, WarehouseReplaced
from pipelines.ingest import snapshot
from pipelines.settings import Settings
from pipelines.warehouse import publish as publishing
from pipelines.warehouse import published
from pipelines.warehouse.published import check_published, publish_if_behind
from pipelines.warehouse.session import warehouse_session
from tests.support.fault_books import broker
from tests.support.kill import kill

Hurt = Callable[[Settings], None]


@pytest.fixture
def settings(home_of_thursday: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of it, with the books of Thursday beside it as somebody may have kept them, and a broker on Friday."""
    shutil.copytree(home_of_thursday, tmp_path / "home")
    for name in ("warehouse.duckdb", "daybook.duckdb"):
        shutil.copyfile(home_of_thursday / name, tmp_path / name)
    with broker() as server:
        monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", server.url)
        yield Settings(base_url=server.url, home=tmp_path / "home")


def swap_warehouse(settings: Settings) -> None:
    (settings.home.parent / "warehouse.duckdb").replace(settings.warehouse)


def overwrite_warehouse(settings: Settings) -> None:
    """In place, by another process: the file is the one that was opened, and holds something else."""
    code = "import pathlib, sys; pathlib.Path(sys.argv[2]).write_bytes(pathlib.Path(sys.argv[1]).read_bytes())"
    kept = settings.home.parent / "warehouse.duckdb"
    subprocess.run([sys.executable, "-c", code, kept, settings.warehouse], check=True)


def remove_warehouse(settings: Settings) -> None:
    settings.warehouse.unlink()


def move_home(settings: Settings) -> None:
    settings.home.rename(settings.home.with_name("moved"))
    settings.home.mkdir()


def swap_copy(settings: Settings) -> None:
    (settings.home.parent / "daybook.duckdb").replace(settings.published)


def remove_copy(settings: Settings) -> None:
    settings.published.unlink()


def spoil_copy(settings: Settings) -> None:
    settings.published.write_bytes(b"not a database")


def after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, hurt: Hurt, settings: Settings) -> None:
    """Somebody hurts the home right after a function has returned, once."""
    real = getattr(module, name)
    done: list[bool] = []

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        if not done:
            done.append(True)
            hurt(settings)
        return result

    monkeypatch.setattr(module, name, wrapper)


def told(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What a command said: on stdout, and the sentence of its error."""
    said = capfd.readouterr()
    sentences = [line for line in said.err.splitlines() if line.startswith("daybook: ")]
    assert len(sentences) <= 1, said.err
    return said.out, "".join(sentences)


@pytest.mark.parametrize("hurt", [swap_warehouse, remove_warehouse, move_home])
@pytest.mark.parametrize("command", ["sync", "build"])
def test_a_warehouse_that_is_swapped_under_a_run_is_never_called_complete(
    command: str, hurt: Hurt, settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if command == "sync":
        after(monkeypatch, snapshot, "load", hurt, settings)
    else:
        assert main(["sync"]) == 0
        told(capfd)
        after(monkeypatch, building, "build", hurt, settings)
    assert main([command]) == 1
    out, err = told(capfd)
    assert "COMPLETE" not in out
    assert "was replaced or removed while this run had it open" in err


@pytest.mark.parametrize("hurt", [swap_copy, remove_copy, spoil_copy])
def test_a_copy_that_is_replaced_right_after_it_was_published_is_never_called_complete(
    hurt: Hurt, settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync"]) == 0
    told(capfd)
    after(monkeypatch, published, "publish", hurt, settings)
    assert main(["build"]) == 1
    out, err = told(capfd)
    assert "COMPLETE" not in out
    assert str(settings.published) in err
    monkeypatch.undo()
    monkeypatch.setenv("DAYBOOK_HOME", str(settings.home))
    assert main(["build"]) == 0  # and the next build publishes again
    with warehouse_session(settings) as con:
        check_published(con, settings)


def test_a_file_that_is_overwritten_in_place_is_never_called_complete(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["sync"]) == 0
    told(capfd)
    after(monkeypatch, building, "build", overwrite_warehouse, settings)
    assert main(["build"]) == 1
    out, err = told(capfd)
    assert "COMPLETE" not in out
    assert err


def test_a_copy_in_which_the_day_stands_otherwise_is_not_the_one_that_was_published(settings: Settings) -> None:
    with warehouse_session(settings) as con:
        check_published(con, settings)
        settings.published.chmod(0o600)
        with duckdb.connect(settings.published) as copy:
            copy.execute("update pnl.account_daily_version set total_pnl = 1000000 where total_pnl is not null")
        with pytest.raises(BuildFailed, match="somebody has put another one in its place"):
            check_published(con, settings)


def test_nothing_is_published_from_a_file_that_is_not_the_one_that_was_opened(settings: Settings) -> None:
    former = settings.published.read_bytes()

    def publish_what_was_swapped() -> None:
        with warehouse_session(settings) as con:
            swap_warehouse(settings)
            publishing.publish(con, settings.published, publishing.PUBLISHED_SCHEMAS)

    with pytest.raises(WarehouseReplaced):
        publish_what_was_swapped()
    assert settings.published.read_bytes() == former
    assert list(settings.home.glob("*.publishing*")) == []


@pytest.mark.parametrize(("module", "name", "hurt"), [("assets.orchestration.derived", "build", swap_warehouse),
    ("pipelines.warehouse.published", "publish", swap_copy),
    ("assets.orchestration.report", "write_report", swap_copy),
    ("assets.orchestration.report", "write_report", swap_warehouse)])  # fmt: skip
def test_an_end_of_day_whose_files_were_swapped_fails_with_a_sentence(
    module: str, name: str, hurt: Hurt, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for variable in ("DAGSTER_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(variable, "restored afterwards")
    monkeypatch.setenv("CLEAR_STREET_API_KEY", "key")
    after(monkeypatch, importlib.import_module(module), name, hurt, settings)
    assert main(["eod"]) == 1
    out, err = told(capfd)
    assert "is COMPLETE" not in out
    assert "replaced" in err or "in its place" in err


def test_what_is_undisturbed_is_complete_and_published_once(settings: Settings) -> None:
    kill("after the build", settings, "sync", "build")
    assert main(["build"]) == 0
    with warehouse_session(settings) as con:
        check_published(con, settings)
        assert not publish_if_behind(con, settings)
