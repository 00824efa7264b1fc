"""Until tests/lake/conftest.py is there."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from pipelines.settings import Settings
from pipelines.warehouse.lake.create import create_lake
from tests.support.object_store import ObjectStore, object_store
from tests.support.postgres import Postgres, postgres

_number = count()


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Postgres, ObjectStore]]:
    with pytest.MonkeyPatch.context() as patch, postgres(folder / "pgpass") as catalog, object_store() as store:
        patch.setenv("PGPASSFILE", str(catalog.passfile))
        for name, value in store.environ.items():
            patch.setenv(name, value)
        yield catalog, store


def new_lake(catalog: Postgres, store: ObjectStore, home: Path, base_url: str) -> Settings:
    import psycopg

    name = f"lake{os.getpid()}_{next(_number)}"
    with psycopg.connect(catalog.url, autocommit=True) as con:
        con.execute(f"create database {name}")
    url = catalog.url.replace("/postgres", f"/{name}")
    settings = Settings(base_url=base_url, home=home, lake=url, lake_data=f"{store.url}/{name}")
    assert list(create_lake(settings))
    return settings
