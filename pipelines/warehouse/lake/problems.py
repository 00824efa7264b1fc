"""What goes wrong with a lake, in one sentence that says what to do. Addresses are quoted, which have no password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipelines.addresses import S3
from pipelines.archive.stores import advice_of
from pipelines.errors import (
    BuildFailed,
    ConfigurationError,
    DaybookError,
    NotPublished,
    WrongWarehouse,
    first_line,
    with_full_stop,
)
from pipelines.settings import Lake

_CONNECTED = re.compile(
    r"(?:connection to server|could not translate|connection is bad|failed to resolve).*", re.IGNORECASE
)
_FATAL = re.compile(r"(?:FATAL|ERROR): +(.*)")
_REFUSED = ("password", "authentication", "no pg_hba.conf entry", "role ")
_STORE = re.compile(
    r"HTTP|s3://|[Cc]ould not connect|[Cc]ould not establish|curl|SSL|certificate|No such file|Cannot open file"
)
_CATALOG = re.compile(
    r"Failed to (?:execute|prepare) query|Postgres|DuckLake transaction|connection to server|server closed"
)


def lake_problem(lake: Lake, error: BaseException) -> DaybookError:
    """The error of ours for one of DuckDB's or psycopg's, while a lake was opened or locked."""
    text = str(error)
    return (
        _of_lake(lake, text)
        or _of_catalog(lake, text)
        or DaybookError(f"{_begin(lake)} can't be opened ({_reason(text)}).")
    )


@contextmanager
def told(lake: Lake) -> Iterator[None]:
    """Says in one sentence that the catalog or the files were lost to whoever works with an open lake in the block."""
    try:
        yield
    except duckdb.Error as error:
        if problem := lost(lake, error):
            raise problem from error
        raise
    except BuildFailed as error:  # it says what failed, and not what to do about a store
        text = str(error.__cause__) if isinstance(error.__cause__, duckdb.Error) else ""
        if lake.data.startswith(S3) and _STORE.search(text):
            advice = f"To reach {lake.tables}, {advice_of(text)}."
            raise BuildFailed(f"{with_full_stop(str(error))} {advice}") from error
        raise


def lost(lake: Lake, error: duckdb.Error) -> DaybookError | None:
    """The sentence for an error that says that the catalog or the files were lost; None for another one."""
    text = str(error)
    if _CATALOG.search(text):
        return DaybookError(
            f"{_begin(lake)} was lost on the way ({_reason(text)}): what was committed is in the books; run it again."
        )
    if _STORE.search(text):
        return DaybookError(
            f"The files of the lake in {lake.tables} can't be reached ({_reason(text)}): {advice_of(text)}; what was "
            "committed is in the books."
        )
    return None


def _of_lake(lake: Lake, text: str) -> DaybookError | None:
    if "creating a new DuckLake is explicitly disabled" in text:
        return NotPublished(f"There is no lake in {_address(lake)} yet: make it once with `daybook lake create`.")
    if "catalog version mismatch" in text or "Only DuckLake versions" in text:
        return WrongWarehouse(f"{_begin(lake)} was written by another DuckLake ({_reason(text)}): update this daybook.")
    if "does not match existing data path" in text:
        return ConfigurationError(
            f"{_begin(lake)} has its files in another place than DAYBOOK_LAKE_DATA ({lake.data}) says: set it to the "
            "place with which it was made, or DAYBOOK_LAKE to the other lake."
        )
    return None


def _of_catalog(lake: Lake, text: str) -> DaybookError | None:
    if not (_CONNECTED.search(text) or _FATAL.search(text)):
        return None
    reason = _reason(text)
    if "certificate" in text or "SSL" in text:
        return DaybookError(
            f"{_begin(lake)} can't be trusted ({reason}): renew its certificate, or correct PGSSLROOTCERT."
        )
    if "database" in reason and "does not exist" in reason:
        return ConfigurationError(
            f"PostgreSQL has no such database ({reason}): make it with createdb, or correct DAYBOOK_LAKE."
        )
    if "permission denied" in reason:
        return ConfigurationError(
            f"The role of {_address(lake)} may not do this ({reason}): use the one that made the lake, or a reader's."
        )
    if any(word in reason for word in _REFUSED):
        return ConfigurationError(
            f"PostgreSQL refuses the role of {_address(lake)} ({reason}): name it in DAYBOOK_LAKE, and its password in "
            "the file that PGPASSFILE names."
        )
    return DaybookError(f"{_begin(lake)} can't be reached ({reason}): start PostgreSQL, or correct DAYBOOK_LAKE.")


def _reason(text: str) -> str:
    """What PostgreSQL or the network said last, on one line."""
    if found := _FATAL.search(text):
        return found[1].strip().rstrip(".")
    if found := _CONNECTED.search(text):
        return found[0].rpartition("failed: ")[2].strip().rstrip(".")
    return first_line(Exception(text)).removeprefix("Invalid Input Error: ").rstrip(".")


def _address(lake: Lake) -> str:
    return lake.catalog.partition("?")[0]


def _begin(lake: Lake) -> str:
    return f"The lake {_address(lake)}"
