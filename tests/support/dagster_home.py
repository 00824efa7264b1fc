"""A home whose tables are made and whose Dagster has its own, without a row in either."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest

from dagster_project.instance import prepare_instance
from pipelines.settings import Settings
from tests.support.desk import home_without_books
from tests.support.once import made_once, shared


def new_home(home: Path) -> None:
    """Make `home` such a one: both take seconds to make, and are made once in a test run."""
    shutil.copytree(made_once(shared(), "without-runs", _make), home, dirs_exist_ok=True)


def _make(home: Path) -> None:
    shutil.copytree(made_once(shared(), "without-books", home_without_books), home)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_DISABLE_TELEMETRY"):
            patch.setenv(name, "restored afterwards")
        prepare_instance(Settings(home=home))
        with dg.DagsterInstance.get() as instance:
            assert instance.get_runs_count() == 0
            assert instance.all_asset_keys() == []
            assert instance.all_instigator_state() == []
