"""The processes of Dagster: a code server, the daemon and the web pages, started and ended together.

They speak to each other over a Unix socket in a folder that only this user can enter. The only port is that of the web
pages, which ask for a token. `dagster dev` would put its webserver on a port as it is.
"""

from __future__ import annotations

import http.client
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import dagster as dg
import grpc  # type: ignore[import-untyped]
from filelock import FileLock, Timeout

from assets.orchestration.known_books import known_books
from dagster_project.health import RUNNING, ServiceHealth, read_service, remove_health, write_health
from dagster_project.instance import HOST, open_instance, prepare_instance
from dagster_project.keeper import Answers, Keeper
from dagster_project.left_behind import end_runs_left_behind
from dagster_project.processes import Processes, Program, stop_signals
from dagster_project.recorded_days import record_days
from dagster_project.web.token import token_of
from pipelines.archive.files import write_whole
from pipelines.desk_keys import variables_named
from pipelines.errors import ConfigurationError, first_line
from pipelines.settings import VARIABLES, Settings

_LOOK = 0.2  # seconds between two looks at the processes
_ASK = 5.0  # seconds between two questions whether they answer
_ANSWER = 5.0  # seconds in which the code server answers
_UNHEARD = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
_HEARTBEAT = 120  # seconds in which each of the daemon's parts says that it is alive: they do every 30
_LONGEST_FOLDER = 85  # bytes: the path of a socket has 103 at most, and Dagster puts others beside ours
_MODULE = ("-m", "dagster_project.definitions", "--location-name", "daybook")
_DONE: Any = object()
_QUIET = ("--log-level", "warning")
_WORKSPACE = """\
# Written by daybook at every start.
load_from:
  - grpc_server:
      socket: {socket}
      location_name: daybook
"""

ShowLine = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class _Site:
    """Where the programs meet: the home, the port of the web pages, the folder of sockets; and who is told."""

    settings: Settings
    command: str
    listener: socket.socket
    port: int
    home: Path
    private: Path
    show_line: ShowLine

    @property
    def code(self) -> Path:
        """The socket of the code server."""
        return self.private / "code"

    @property
    def url(self) -> str:
        """Where the web pages are."""
        return f"http://{HOST}:{self.port}"


def dev(settings: Settings, port: int, show_line: ShowLine, *, schedules: bool = False) -> int:
    """Run Dagster's UI and daemon on loopback until they are stopped (Ctrl-C or SIGTERM); its link goes to `show_line`.

    The schedules are off unless asked for. Gives 0. Raises as `serve` does, and DaybookError when a process ends by
    itself; the others are ended then.
    """
    settings = settings if schedules else settings.model_copy(update={"schedules": "off"})
    with (
        _site(settings, "dev", port, show_line) as site,
        stop_signals() as stopped,
        open_instance() as instance,
        Processes(site.home, site.private) as processes,
    ):
        code, *others = _programs(site, instance)
        processes.start(code[0])
        if _until_it_answers(site, processes, stopped):
            for program, _ in others:
                processes.start(program)
            site.listener.close()
            _show_link(site)
        recording = _recording(site, instance)
        while not stopped:
            processes.refuse_ended()
            if _next(recording, _DONE, show_line) is _DONE:
                time.sleep(_LOOK)
    return 0


def serve(settings: Settings, port: int, show_line: ShowLine) -> int:
    """Keep Dagster's code server, daemon and web pages running on loopback until we are stopped (SIGTERM or Ctrl-C).

    Each is started again when it ends or hangs; how they are is written down for `daybook status`. Runs that were
    killed with a former service are ended first, so that Dagster tries them again. Gives 0. Raises ConfigurationError,
    with nothing started, where a key is missing, the home can't be written, the port is taken, the books are served
    already, or the settings of the jobs that trade can't be used.
    """
    known = known_books(settings)
    if not known.replayed:
        settings.reading_key()
    with _site(settings, "serve", port, show_line) as site, stop_signals() as stopped, open_instance() as instance:
        programs = _programs(site, instance)
        with Processes(site.home, site.private) as processes:
            keeper = Keeper(processes, programs)
            health = ServiceHealth("serve", os.getpid(), site.url, _now(), _now(), keeper.health)
            left = end_runs_left_behind(settings, instance)
            _show_link(site)
            recording = _recording(site, instance)
            asked = 0.0
            while not stopped:
                said = [*_next(left, [], show_line), *keeper.look()]
                for line in said:
                    show_line(line)
                if said or time.monotonic() - asked >= _ASK:
                    keeper.ask()
                    with suppress(OSError):  # a full disk ends no service; that it is silent is told by its age
                        write_health(settings, health)
                    asked = time.monotonic()
                if keeper.health[-1].state != RUNNING or _next(recording, _DONE, show_line) is _DONE:
                    time.sleep(_LOOK)
    return 0


@contextmanager
def _site(settings: Settings, command: str, port: int, show_line: ShowLine) -> Iterator[_Site]:
    """All that has to be right before anything is started. Raises ConfigurationError as `serve` does."""
    settings.has_trading_jobs()
    settings.prepare_home()
    token_of(settings.ui_token)
    with ExitStack() as stack:
        stack.enter_context(_alone(settings))
        home = prepare_instance(settings)
        listener = stack.enter_context(_listening(port))
        private = Path(stack.enter_context(_private_folder()))
        site = _Site(settings, command, listener, listener.getsockname()[1], home, private, show_line)
        stack.callback(remove_health, settings)
        write_health(settings, ServiceHealth(command, os.getpid(), site.url, _now(), _now()))
        os.environ.setdefault("DAYBOOK_DAGSTER_URL", site.url)  # links in alerts lead there
        write_whole(home / "workspace.yaml", _WORKSPACE.format(socket=site.code).encode(), durable=False)
        yield site


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Holds the home's place for one service: two daemons would start every run twice."""
    lock = FileLock(settings.dagster / "service.lock", mode=0o600)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        there = read_service(settings)
        who = f"`daybook {there.command}` (process {there.pid}, {there.url})" if there else "another process"
        raise ConfigurationError(f"These books are served already, by {who}: end it first.") from None
    try:
        yield
    finally:
        lock.release()


def _show_link(site: _Site) -> None:
    settings, known = site.settings, known_books(site.settings)
    site.show_line(f"Dagster's UI is at {site.url}/?token={token_of(settings.ui_token)}")
    site.show_line("The link logs a browser in; keep it to yourself. Ctrl-C ends it.")
    if known.replayed:
        site.show_line("These are books of a stand-in broker: the schedules are off.")
    elif settings.schedules == "off":
        more = "`daybook serve` has them on, and so has `daybook dev --schedules`." if site.command == "dev" else ""
        site.show_line(f"The schedules are off. {more}".strip())
    if settings.api_key is None and not settings.is_loopback:
        what = "nothing can be read from a broker" if known.replayed else "a run that reads the broker will fail"
        site.show_line(f"CLEAR_STREET_API_KEY is not set: {what}.")


def _recording(site: _Site, instance: dg.DagsterInstance) -> Iterator[None]:
    """The days of books that a stand-in has filled, on their way into Dagster."""
    return record_days(site.settings, instance) if known_books(site.settings).replayed else iter(())


def _next(steps: Iterator[T], done: T, show_line: ShowLine) -> T:
    """The next step of what is done beside the service; `done` where there is none, or Dagster's storage failed: that
    ends no service."""
    try:
        return next(steps, done)
    except Exception as error:  # of several kinds, some of which are not public
        show_line(f"Dagster's storage could not be used ({first_line(error)}).")
        return done


def _programs(site: _Site, instance: dg.DagsterInstance) -> list[tuple[Program, Answers]]:
    """The code server first; each with how to ask whether it answers."""
    workspace = str(site.home / "workspace.yaml")
    handle = site.listener.fileno()
    without = _without_secrets()
    return [
        (Program("code server", _code_server(site), _with_keys(site.settings)), lambda: _code_answers(site.code)),
        (
            Program("daemon", ("dagster._daemon", "run", "-w", workspace, *_QUIET), without),
            lambda: _daemon_lives(instance),
        ),
        (
            Program("web pages", ("dagster_project.web.server", workspace, str(handle)), without, (handle,)),
            lambda: _web_answers(site.port),
        ),
    ]


def _code_server(site: _Site) -> tuple[str, ...]:
    """Dagster's server of our definitions, which the UI can have loaded again; it runs the runs."""
    return ("dagster", "code-server", "start", "--socket", str(site.code), "-d", str(site.home), *_MODULE, *_QUIET)


def _with_keys(settings: Settings) -> dict[str, str]:
    """The environment of what runs the runs: with the key that trades only where something of it may trade."""
    trades = settings.has_trading_jobs()
    kept = {name: value for name, value in os.environ.items() if trades or name != "CLEAR_STREET_TRADING_API_KEY"}
    return {**kept, "DAYBOOK_SCHEDULES": settings.schedules}


def _without_secrets() -> dict[str, str]:
    """The environment of the daemon and the web pages, which load no code of ours: no key, no address of an alert."""
    kept = ("DAYBOOK_HOME", "DAYBOOK_DAGSTER_URL")
    ours = {*VARIABLES, *variables_named(os.environ.get("DAYBOOK_KEYS"))}
    return {name: value for name, value in os.environ.items() if name not in ours or name in kept}


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise ConfigurationError(
            f"Dagster's UI can't listen on port {port} of {HOST} ({error.strerror}): give another one with --port."
        ) from error


def _private_folder() -> TemporaryDirectory[str]:
    """A folder for sockets that only this user can enter (0700), whose path is short enough for one."""
    folder = TemporaryDirectory(prefix="daybook-", ignore_cleanup_errors=True)
    if len(os.fsencode(folder.name)) <= _LONGEST_FOLDER:
        return folder
    folder.cleanup()
    return TemporaryDirectory(prefix="daybook-", dir="/tmp", ignore_cleanup_errors=True)


def _code_answers(code: Path) -> bool:
    """Whether the code server answers, which is when it has loaded our code; its socket is for this user alone then.

    An error of its own is an answer, too: its code can't be loaded, and the web pages say why.
    """
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2)
            probe.connect(str(code))
        code.chmod(0o600)
        with grpc.insecure_channel(f"unix:{code}") as channel:
            channel.unary_unary("/api.DagsterApi/Ping")(b"", timeout=_ANSWER)
    except OSError:
        return False
    except grpc.RpcError as error:
        return isinstance(error, grpc.Call) and error.code() not in _UNHEARD
    return True


def _daemon_lives(instance: dg.DagsterInstance) -> bool | None:
    """Whether each part of the daemon has said lately that it is alive; None where nobody can tell."""
    try:
        heard = instance.get_daemon_heartbeats()
    except Exception:  # the storage can't be asked: of several kinds, some of which are not public
        return None
    parts = instance.get_required_daemon_types()
    return all(part in heard and time.time() - heard[part].timestamp < _HEARTBEAT for part in parts)


def _web_answers(port: int) -> bool:
    """Whether the web pages answer, be it that they want the token."""
    asking = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        asking.request("GET", "/")
        return asking.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


def _until_it_answers(site: _Site, processes: Processes, stopped: list[int]) -> bool:
    """Wait until the code server answers; False when we are stopped first."""
    while not stopped:
        processes.refuse_ended()
        if _code_answers(site.code):
            return True
        time.sleep(_LOOK)
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
