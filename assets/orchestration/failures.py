"""How a failure of ours shows in Dagster: as its one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.errors import ConfigurationError, DaybookError


@contextmanager
def said_plainly() -> Iterator[None]:
    """A DaybookError leaves the block as a failure of the step with its sentence.

    What only a person can put right is not tried again.
    """
    try:
        yield
    except DaybookError as error:
        raise dg.Failure(str(error), allow_retries=not isinstance(error, ConfigurationError)) from error
