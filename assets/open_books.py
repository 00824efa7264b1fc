"""What an asset works with: the books of one run, open. A plain object, so that a test or a command can make one by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from pipelines.alerts import Alert
from pipelines.settings import Settings


@dataclass(frozen=True)
class OpenBooks:
    """The open warehouse, under the run lock; whose it is; whom to tell how it goes; and how somebody is alerted."""

    con: duckdb.DuckDBPyConnection
    settings: Settings
    tell: Callable[[str], None]
    alert: Callable[[Alert], None]
