"""How many threads DuckDB has in a test: one. Small books gain nothing by a second, and what two threads tell each
other of the parts of a small select costs a quarter of the CPU of a build.

DuckDB reads the variable by which Slurm tells a job its share of a machine when a database is opened, in whatever
process: nothing of ours is told how many threads there are, in a test or elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

SHARE = "SLURM_CPUS_ON_NODE"


def one_thread() -> None:
    """From here on a database has one thread, also in processes that are started."""
    os.environ[SHARE] = "1"


@contextmanager
def every_core() -> Iterator[None]:
    """In the block it has as many as there are cores, as everybody's has."""
    share = os.environ.pop(SHARE, None)
    try:
        yield
    finally:
        if share is not None:
            os.environ[SHARE] = share
