"""The real `daybook dev` in a process of its own, spoken to as its web page does: over GraphQL."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
_REPOSITORY = {"repositoryLocationName": "daybook", "repositoryName": "__repository__"}

_LOADED = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
_TICK = """
    mutation($schedule: ScheduleSelector!, $at: Float) { scheduleDryRun(selectorData: $schedule, timestamp: $at) {
        ... on DryRunInstigationTick { evaluationResult {
            skipReason error { message } runRequests { tags { key value } } } } ... on PythonError { message } } }
"""
_LAUNCH = """
    mutation($run: ExecutionParams!) { launchRun(executionParams: $run) {
        __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_SCHEDULES = """
    query($repository: RepositorySelector!) { schedulesOrError(repositorySelector: $repository) {
        ... on Schedules { results { name scheduleState { status } } } } }
"""


class Dev:
    """A running UI and daemon."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process

    def ask(self, query: str, **values: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        reply = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": values}, timeout=60).json()
        assert "errors" not in reply, reply
        data: dict[str, Any] = reply["data"]
        return data

    def is_loaded(self) -> bool:
        """Whether the definitions are there."""
        try:
            entries = self.ask(_LOADED)["workspaceOrError"]["locationEntries"]
        except httpx.TransportError:
            return False
        return [(entry["name"], entry["loadStatus"]) for entry in entries] == [("daybook", "LOADED")]

    def schedules(self) -> dict[str, str]:
        """Whether each schedule is running."""
        found = self.ask(_SCHEDULES, repository=_REPOSITORY)["schedulesOrError"]["results"]
        return {schedule["name"]: schedule["scheduleState"]["status"] for schedule in found}

    def tick(self, schedule: str, at: float) -> list[dict[str, str]]:
        """The tags of the one run that a schedule asks for at an instant."""
        answer = self.ask(_TICK, schedule={**_REPOSITORY, "scheduleName": schedule}, at=at)
        (request,) = answer["scheduleDryRun"]["evaluationResult"]["runRequests"]
        tags: list[dict[str, str]] = request["tags"]
        return tags

    def launch(self, job: str, tags: list[dict[str, str]]) -> str:
        """Put a run into the queue; its id."""
        run = {
            "selector": {**_REPOSITORY, "jobName": job},
            "runConfigData": {},
            "executionMetadata": {"tags": tags},
        }
        answer = self.ask(_LAUNCH, run=run)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def end_of(self, run: str) -> str:
        """How a run ended, once it has."""

        def ended() -> str | None:
            status: str = self.ask(_STATUS, id=run)["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return wait_for(ended, 120)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def daybook_dev(environ: dict[str, str], log: Path) -> Iterator[Dev]:
    """`daybook dev` on a free port, up and loaded; its output goes to `log`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        command = [Path(sys.executable).with_name("daybook"), "dev", "--port", str(port)]
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)
        dev = Dev(f"http://127.0.0.1:{port}", process)
        try:
            wait_for(lambda: dev.is_loaded() or None, 120)
            yield dev
        finally:
            if process.poll() is None:
                dev.stop()


def wait_for(look: Callable[[], T | None], seconds: float) -> T:
    """What `look` finds, once it finds something. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.25)
    raise AssertionError(f"nothing after {seconds:g} s")
