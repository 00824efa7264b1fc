"""What the lake's tests share: a PostgreSQL server, a server of S3's kind, new lakes. One of each in a worker.

They need the extra `lake`, moto and PostgreSQL's programs (`make test-lake`): without them they are skipped and say so;
where DAYBOOK_LAKE_TESTS is `required`, as in CI, they fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from pipelines.settings import Settings
from tests.support.broker_server import BrokerServer
from tests.support.desk import FRIDAY, THURSDAY
from tests.support.fault_books import Books, broker, close_day, published
from tests.support.lakes import STORE, Bucket, copy_of, create, missing, new_database, s3_server, week, week_again
from tests.support.once import made_once
from tests.support.postgres import Postgres, has_postgres
from tests.support.postgres import postgres as postgres_server
from tests.support.threads import every_core

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They are marked, and skipped with the reason where something is not installed."""
    lacking = missing() + ([] if has_postgres() else ["PostgreSQL"])
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lake)
            if lacking and os.environ.get("DAYBOOK_LAKE_TESTS") != "required":
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(lacking)} (make test-lake)"))


@pytest.fixture(scope="session", autouse=True)
def cores() -> Iterator[None]:
    """A lake is read and written by as many threads as there are cores: they share PostgreSQL's connections."""
    with every_core():
        yield


class NewLake(Protocol):
    """Makes a lake of a test's own; its settings, with a home of its own that is not made yet."""

    def __call__(self, home: Path, *, bucket: Bucket | None = None, url: str = ..., made: bool = True) -> Settings: ...


@pytest.fixture(scope="session", autouse=True)
def _signed_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The variables of libpq and of S3 clients, for this process and what it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSFILE", str(tmp_path_factory.mktemp("postgres") / "passfile"))
        for name, value in STORE.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def postgres(_signed_in: None) -> Iterator[Postgres]:
    """A server for as long as this worker tests. Not to be ended: it is everybody's."""
    with postgres_server(Path(os.environ["PGPASSFILE"])) as server:
        yield server


@pytest.fixture(scope="session")
def bucket(_signed_in: None) -> Iterator[Bucket]:
    """A bucket for as long as this worker tests, and AWS_ENDPOINT_URL that leads there. Not to be ended."""
    with s3_server() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server


@pytest.fixture(scope="session")
def lake(postgres: Postgres) -> NewLake:
    """Makes lakes: in a new database, with its files below the home, or in a bucket."""

    def make(
        home: Path, *, bucket: Bucket | None = None, url: str = "http://127.0.0.1:1", made: bool = True
    ) -> Settings:
        catalog = new_database(postgres)
        data = f"s3://{bucket.name}/{catalog.rpartition('/')[2]}" if bucket else f"{home}-lake"
        settings = Settings.model_validate(
            {"base_url": url, "home": home, "api_key": "any", "lake": catalog, "lake_data": data}
        )
        if made:
            create(settings)
        return settings

    return make


@pytest.fixture(scope="session")
def home_of_week(shared: Path) -> Path:
    """The example books' last days of February in a file (tests/support/lakes.py), not to be changed."""
    return made_once(shared, "week", week)


@pytest.fixture(scope="session")
def lake_of_week(lake: NewLake, home_of_week: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same in a lake, with its files in a folder. Not to be changed."""
    settings = lake(tmp_path_factory.mktemp("week") / "home")
    week_again(settings, home_of_week / "archive")
    return settings


@pytest.fixture(scope="session")
def lake_of_thursday(lake: NewLake, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake in which a Thursday has been closed (tests/support/fault_books.py). Not to be opened: others copy it."""
    with broker(THURSDAY) as server:
        settings = lake(tmp_path_factory.mktemp("thursday") / "home", url=server.url)
        close_day(settings)
    return settings


@pytest.fixture(scope="session")
def thursday_in_bucket(lake: NewLake, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The same in a lake whose files are in a bucket."""
    with broker(THURSDAY) as server:
        settings = lake(tmp_path_factory.mktemp("bucket") / "home", bucket=bucket, url=server.url)
        close_day(settings)
    return settings


@pytest.fixture
def on_friday(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path: Path
) -> Iterator[tuple[BrokerServer, Settings]]:
    """A copy of that lake, for a host that never had it, and the broker on Friday."""
    with broker(FRIDAY) as server:
        yield server, copy_of(postgres, lake_of_thursday, tmp_path / "home", server.url)


@pytest.fixture(scope="session")
def undisturbed(
    postgres: Postgres, lake_of_thursday: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Books, list[Books]]:
    """The books after a Friday evening that nothing disturbed: derived, and run by run."""
    with broker(FRIDAY) as server:
        settings = copy_of(postgres, lake_of_thursday, tmp_path_factory.mktemp("undisturbed") / "home", server.url)
        close_day(settings)
    return published(settings)
