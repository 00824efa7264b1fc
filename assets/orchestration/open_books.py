"""What an asset works with: the books of one run. A plain object, so that a test or a command can make one by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import duckdb

from pipelines.alerts.alert import Alert
from pipelines.broker.read import ClockReading
from pipelines.progress import OnProgress
from pipelines.settings import Settings


@dataclass
class OpenBooks:
    """Whose books; how they are taken; who is told of progress; and how somebody is alerted."""

    settings: Settings
    take: Callable[[], duckdb.DuckDBPyConnection]
    on_progress: OnProgress
    alert: Callable[[Alert], None]
    #: What the broker's clock said, where it had to be asked before the run: to the minute, the day depends on it.
    clock: ClockReading | None = None

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The open warehouse, under the run lock from the first time that it is asked for. Raises as `take` does."""
        return self.take()
