"""The real `daybook dev` in a process of its own, spoken to as its web page does: over GraphQL, logged in."""

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
_JOBS = """
    query($repository: RepositorySelector!) { repositoryOrError(repositorySelector: $repository) {
        ... on Repository { jobs { name } } } }
"""
_RUNS = "{ runsOrError { ... on Runs { results { runId } } } }"
LAUNCH = """
    mutation($run: ExecutionParams!) { launchRun(executionParams: $run) {
        __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_SCHEDULES = """
    query($repository: RepositorySelector!) { schedulesOrError(repositorySelector: $repository) {
        ... on Schedules { results { name scheduleState { status } } } } }
"""


def to_launch(job: str, tags: list[dict[str, str]], config: dict[str, Any] | None = None) -> dict[str, Any]:
    """The variable `run` of the mutation `LAUNCH`."""
    return {
        "selector": {**_REPOSITORY, "jobName": job},
        "runConfigData": config or {},
        "executionMetadata": {"tags": tags},
    }


class Dev:
    """A running UI and daemon. `token_file` is where its token is once it has started."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], token_file: Path) -> None:
        self.url = url
        self.process = process
        self.token_file = token_file
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    @property
    def token(self) -> str:
        """What opens the UI."""
        return self.token_file.read_text()

    @property
    def link(self) -> str:
        """The link that logs a browser in."""
        return f"{self.url}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """What a browser that is logged in sends, as a header."""
        if not self._client.cookies:
            assert self._client.get("/", params={"token": self.token}).status_code == 303
        return "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())

    def ask(self, query: str, **values: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        assert self.cookie
        reply = self._client.post("/graphql", json={"query": query, "variables": values}).json()
        assert "errors" not in reply, reply
        data: dict[str, Any] = reply["data"]
        return data

    def is_loaded(self) -> bool:
        """Whether the definitions are there."""
        try:
            entries = self.ask(_LOADED)["workspaceOrError"]["locationEntries"]
        except (httpx.TransportError, FileNotFoundError):
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

    def jobs(self) -> set[str]:
        """The names of the jobs that there are."""
        found = self.ask(_JOBS, repository=_REPOSITORY)["repositoryOrError"]["jobs"]
        return {job["name"] for job in found}

    def runs(self) -> int:
        """How many runs there have ever been."""
        return len(self.ask(_RUNS)["runsOrError"]["results"])

    def last_run(self) -> str | None:
        """The id of the newest run."""
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return str(found[0]["runId"]) if found else None

    def launch(self, job: str, tags: list[dict[str, str]], config: dict[str, Any] | None = None) -> str:
        """Put a run into the queue; its id."""
        answer = self.ask(LAUNCH, run=to_launch(job, tags, config))["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return str(answer["run"]["runId"])

    def end_of(self, run: str) -> str:
        """How a run ended, once it has."""

        def ended() -> str | None:
            status: str = self.ask(_STATUS, id=run)["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return wait_for(ended, 120)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def daybook_dev(environ: dict[str, str], log: Path, command: str = "dev") -> Iterator[Dev]:
    """`daybook dev`, or `daybook serve`, on a free port, up and loaded; its output goes to `log`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        line: list[str | Path] = [Path(sys.executable).with_name("daybook"), command, "--port", str(port)]
        process = subprocess.Popen(line, env=environ, stdout=output, stderr=subprocess.STDOUT)
        dev = Dev(f"http://127.0.0.1:{port}", process, Path(environ["DAYBOOK_HOME"]) / "ui-token")
        try:
            wait_for(lambda: dev.is_loaded() or None, 120)
            yield dev
        finally:
            dev.close()
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
