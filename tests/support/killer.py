"""A `daybook` process that dies by SIGKILL at a named point: `python -m tests.support.killer POINT sync build`.

The product knows nothing of it: in this process alone, the function of a point is put in a wrapper that kills before
or after calling the real one. Names of points are for the tests that take them as parameters.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DIED = 77  # the exit code of a process that went on past its point: the point was never reached


@dataclass(frozen=True)
class Point:
    """Before or after the `nth` call of a function, looked up where it is called; of `about`, where that is named.

    `kept`: whether what the killed run read is in the books after the next one. `seen`: whether it is published.
    """

    module: str
    name: str
    when: str
    nth: int = 1
    about: str = ""
    kept: bool = False
    seen: bool = False


def _around(module: str, name: str, **more: Any) -> dict[str, Point]:
    return {when: Point(module, name, when, **more) for when in ("before", "after")}


def _points() -> dict[str, Point]:
    made: dict[str, Point] = {}

    def add(called: str, module: str, name: str, **more: Any) -> None:
        made.update({f"{when} {called}": point for when, point in _around(module, name, **more).items()})

    def after(called: str, module: str, name: str, **more: Any) -> None:
        made[f"after {called}"] = Point(module, name, "after", **more)

    def before(called: str, module: str, name: str, **more: Any) -> None:
        made[f"before {called}"] = Point(module, name, "before", **more)

    http, archive, pipeline = "pipelines.broker.http", "pipelines.archive.write", "dlt.pipeline.pipeline"
    merge, sql = "pipelines.warehouse.destination", "dlt.destinations.impl.duckdb.sql_client"
    after("the lock is signed", "pipelines.warehouse.lock", "_sign")
    after("a run has begun", "pipelines.ingest.snapshot", "refuse_other_broker")
    add("the warehouse knows its broker", "pipelines.ingest.snapshot", "remember_broker")
    before("the first request", http, "Http.get")
    for nth in (5, 12, 20):
        after(f"request {nth}", http, "Http.get", nth=nth)
    for nth in (1, 9):
        add(f"archive file {nth}", archive, "Archive.__call__", nth=nth)
    add("the archive's index", archive, "Archive.close")
    before("dlt extracts", pipeline, "Pipeline.extract")
    after("dlt extracted", pipeline, "Pipeline.extract", kept=True)
    after("normalizing", pipeline, "Pipeline.normalize", kept=True)
    before("the first load", merge, "MergeFile.run", kept=True)
    for table in LANDED:
        after(f"the load of {table}", merge, "MergeFile.run", about=f"/{table}.", kept=True)
    add("the merge deletes", sql, "DuckDbSqlClient.execute_sql", about='delete from "raw"."positions"', kept=True)
    after(
        "the merge, uncommitted", sql, "DuckDbSqlClient.execute_sql", about='insert into "raw"."positions"', kept=True
    )
    for nth in (2, 8):
        add(f"merge {nth}", merge, "MergeFile.run", nth=nth, kept=True)
    add("the load is noted", "dlt.destinations.job_client_impl", "SqlJobClientBase.complete_load", kept=True)
    add("the package is put away", "dlt.common.storages.load_storage", "LoadStorage.complete_load_package", kept=True)
    after("the sync", "pipelines.ingest.snapshot", "load", kept=True)
    add("the tables are made", "pipelines.books.build", "make_tables", kept=True)
    for nth in (1, 4):
        after(f"days replaced {nth}", "pipelines.books.build", "replace_days", nth=nth, kept=True)
    add("versions are added", "pipelines.books.build", "add_versions", kept=True)
    after("the last select, uncommitted", "pipelines.books.build", "_build_days", kept=True)
    after("the build", "pipelines.books.build", "build", kept=True)
    after("publish copy", "pipelines.warehouse.publish", "copy_at_rest", kept=True)
    before("the swap", "pipelines.warehouse.publish", "_swap", kept=True)
    after("the draft is on disk", "pipelines.warehouse.publish", "fsync", kept=True)
    before("the swap is on disk", "pipelines.warehouse.publish", "fsync", nth=2, kept=True, seen=True)
    after("the swap", "pipelines.warehouse.publish", "_swap", kept=True, seen=True)
    for nth in (1, 3):
        add(f"report file {nth}", "pipelines.report.write", "write_whole", nth=nth, kept=True, seen=True)
    return made


#: Tables that the Friday's run has rows of, each written by a load job.
LANDED = (
    "extract_run", "extract_manifest", "accounts", "positions", "position_instructions", "executions", "balances",
    "portfolio_history", "market_hours",
)  # fmt: skip
POINTS = _points()
#: Where only a lake passes.
LAKE_POINTS = {
    "after the pages are sent": Point("pipelines.archive.bucket", "Bucket._put", "after"),
    "after the archive is sent": Point("pipelines.ingest.snapshot", "send_waiting", "after"),
    "after the books are copied": Point("pipelines.ingest.moving", "copy_books", "after"),
}
#: Some more of a build, for where each of them is a test of its own.
IN_A_BUILD = {
    "after days replaced 9": Point("pipelines.books.build", "replace_days", "after", nth=9, kept=True),
    "after the second versions": Point("pipelines.books.build", "add_versions", "after", nth=2, kept=True),
    "before the commit": Point("pipelines.books.build", "_build_alone", "after", kept=True),
}


def arm(point: Point) -> None:
    """From here on this process dies at the point."""
    owner: Any = importlib.import_module(point.module)
    *classes, name = point.name.split(".")
    for each in classes:
        owner = getattr(owner, each)
    setattr(owner, name, _deadly(getattr(owner, name), point))


def _deadly(real: Callable[..., Any], point: Point) -> Callable[..., Any]:
    lock, calls = threading.Lock(), 0

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        with lock:
            calls += point.about in _subject(args)
            strikes = calls == point.nth and point.about in _subject(args)
        if strikes and point.when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if strikes:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


def _subject(args: tuple[Any, ...]) -> str:
    """What a call is about: the file of a load job, or the text of its arguments."""
    return str(getattr(args[0], "_file_path", args)) if args else ""


def main(name: str, *commands: str) -> int:
    """Run commands of daybook one after the other, and die at the point."""
    from daybook.cli.app import main as daybook

    arm((POINTS | IN_A_BUILD | LAKE_POINTS)[name])
    for command in commands:
        daybook(command.split())
    return DIED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
