"""What assets are given: settings in, open books out. The environment is read when a run starts, never at import."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import dagster as dg
import duckdb

from assets.orchestration.open_books import OpenBooks
from pipelines.alerts.alert import send
from pipelines.progress import as_lines
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session


class BooksResource(dg.ConfigurableResource[OpenBooks]):
    """The books of DAYBOOK_HOME, taken by the first step of a run and held to its end, however it ends.

    A run that finds them held waits `wait_seconds` and then fails, naming the holder: a schedule can wait longer than
    a person would. Not taken before a step wants them: `dagster job execute` makes the resources of a run once more
    when the run is over.
    """

    wait_seconds: float = 900.0

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[OpenBooks]:
        """The books of one run. Raises ConfigurationError for an environment that can't be used."""
        settings = Settings.from_env()
        on_progress = as_lines(context.log.info if context.log else print)
        with ExitStack() as held:

            def take() -> duckdb.DuckDBPyConnection:
                return held.enter_context(warehouse_session(settings, wait=self.wait_seconds, on_progress=on_progress))

            yield OpenBooks(settings, take, on_progress, partial(send, settings))
