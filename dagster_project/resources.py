"""What assets are given: settings in, open books out. The environment is read when a run starts, never at import."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import dagster as dg

from assets.open_books import OpenBooks
from pipelines.alerts import send
from pipelines.evening import evening
from pipelines.settings import Settings


class Books(dg.ConfigurableResource[OpenBooks]):
    """The books of DAYBOOK_HOME, held by a run from its first step to its last, and let go however it ends.

    A run that finds them held waits `wait_seconds` and then fails, naming the holder: a schedule can wait longer than
    a person would.
    """

    wait_seconds: float = 900.0

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[OpenBooks]:
        """The open books for one run. Raises ConfigurationError, LockedOut and DaybookError as `evening` does."""
        settings = Settings.from_env()
        tell = context.log.info if context.log else print
        with evening(settings, wait=self.wait_seconds, tell=tell) as con:
            yield OpenBooks(con, settings, tell, partial(send, settings))
