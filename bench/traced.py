"""One evening, step by step, in a process of its own: `python -m bench.traced HOME URL BEGAN`.

BEGAN is the clock's reading when the process was asked for. Functions of the product are wrapped from here; it knows
nothing of it. Prints one line of JSON: seconds of each step and of its parts, in the order in which they came.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from assets.catalog import CATALOG

Parts = dict[str, float]


class Trace:
    """Seconds of steps, and of the parts of each. What is called within a part belongs to it."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self.parts: dict[str, Parts] = {}
        self._step = ""
        self._within = False

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Something that the evening does after the other."""
        self._step, self.parts[name] = name, {}
        began = time.perf_counter()
        yield
        self.steps[name] = time.perf_counter() - began

    def timed(self, name: str | None, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is, and what it takes a part of the step that it is called in.

        Without a name it is told by its second argument: the table that it writes.
        """

        def measured(*args: Any, **more: Any) -> Any:
            if self._within:
                return function(*args, **more)
            self._within, began = True, time.perf_counter()
            try:
                return function(*args, **more)
            finally:
                self._within = False
                told = name or str(args[1])
                parts = self.parts[self._step]
                parts[told] = parts.get(told, 0.0) + time.perf_counter() - began

        return measured

    def watch(self, owner: Any, attribute: str, name: str | None = None) -> None:
        """Time a function or method of the product wherever it is called by this name."""
        setattr(owner, attribute, self.timed(name, getattr(owner, attribute)))


def watch_all(trace: Trace) -> None:
    """Import what an evening imports, and time what is worth a bar of its own."""
    from dlt.pipeline.pipeline import Pipeline

    import pipelines.books.build as build
    import pipelines.ingest.snapshot as snapshot
    import pipelines.report.write as report
    import pipelines.warehouse.publish as publish

    trace.watch(snapshot, "finish_pending", "what was pending")
    trace.watch(snapshot, "read_trading_day", "read, prove, validate, archive")
    trace.watch(Pipeline, "extract", "dlt: extract")
    trace.watch(Pipeline, "normalize", "dlt: normalize")
    trace.watch(Pipeline, "load", "dlt: load")
    for writes in ("replace_whole", "replace_days", "make_working", "add_versions"):
        trace.watch(build, writes)
    trace.watch(publish, "copy_at_rest", "copy the file")
    trace.watch(publish, "_prune", "drop what is not published")
    trace.watch(publish, "_swap", "to disk, and swapped in")
    trace.watch(report, "open_known", "the day as known")
    trace.watch(report, "collect_report", "ask")
    trace.watch(report, "_write_all", "to disk")
    report._MAKERS = {form: trace.timed(form, make) for form, make in report._MAKERS.items()}  # noqa: SLF001


def close_day(home: Path, url: str, trace: Trace) -> None:
    """Sync, build, publish and report, as the end_of_day job does."""
    from pipelines.books.build import build
    from pipelines.ingest.snapshot import take_snapshot
    from pipelines.report.write import write_report
    from pipelines.settings import Settings
    from pipelines.warehouse.publish import PUBLISHED_SCHEMAS, publish
    from pipelines.warehouse.session import warehouse_session

    settings = Settings(base_url=url, home=home)
    with ExitStack() as hold:
        with trace.step("open"):
            con = hold.enter_context(warehouse_session(settings))
        with trace.step("sync"):
            snapshot = take_snapshot(con, settings)
        assert snapshot.is_complete, snapshot.problems
        with trace.step("build"):
            build(con, settings, CATALOG, from_date=snapshot.trading_date, to_date=snapshot.trading_date)
        with trace.step("publish"):
            publish(con, settings.published, PUBLISHED_SCHEMAS)
        with trace.step("report"):
            write_report(settings, CATALOG, snapshot.trading_date)


def main() -> None:
    """Trace one evening and print its steps as JSON."""
    home, url, began = sys.argv[1:4]
    trace = Trace()
    with trace.step("start"):
        watch_all(trace)
    trace.steps["start"] = time.time() - float(began)
    close_day(Path(home), url, trace)
    print(json.dumps({"steps": trace.steps, "parts": trace.parts}), flush=True)


if __name__ == "__main__":
    main()
