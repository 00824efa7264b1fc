"""How an error of daybook's becomes a failure in Dagster."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.errors import ConfigurationError, DaybookError


@contextmanager
def as_dagster_failure() -> Iterator[None]:
    """Turns a DaybookError in the block into dg.Failure with the same sentence. The step is retried as its policy says,
    but not after a ConfigurationError, which only a person can correct."""
    try:
        yield
    except DaybookError as error:
        raise dg.Failure(str(error), allow_retries=not isinstance(error, ConfigurationError)) from error
