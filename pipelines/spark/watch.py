"""Whether a cluster still has anybody who computes. Spark itself waits for ever for its executors to come back, with
the books locked meanwhile: after some time without one, what it was asked to compute is given up."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

#: Seconds that a cluster may be without an executor: a worker that is started again has one within some.
PATIENCE = 60.0
_EVERY = 5.0


class Watch:
    """Gives up the jobs of a session whose cluster has had no executor for PATIENCE seconds, until it is stopped."""

    def __init__(self, session: Any, master: str) -> None:
        self._jobs = session.sparkContext.statusTracker()
        self._context = session.sparkContext._jsc.sc()  # noqa: SLF001  (Python's own can't be asked who computes)
        self._reason = f"no executor of {master} was there for {PATIENCE:.0f} seconds: look at its workers"
        self._stopped = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self) -> None:
        from py4j.protocol import Py4JJavaError, Py4JNetworkError

        seen = time.monotonic()
        with suppress(OSError, Py4JJavaError, Py4JNetworkError):  # it has ended; whoever asks it is told of that
            while not self._stopped.wait(min(_EVERY, PATIENCE / 2)):
                if self._context.getExecutorMemoryStatus().size() > 1:  # the driver is one of them
                    seen = time.monotonic()
                elif time.monotonic() - seen > PATIENCE:
                    for job in self._jobs.getActiveJobsIds():
                        self._context.cancelJob(job, self._reason)
