"""The processes of Dagster: a code server, the daemon and the web pages, started and ended together.

They speak to each other over a Unix socket in a folder that only this user can enter. The only port is that of the web
pages, which ask for a token. `dagster dev` would put its webserver on a port as it is.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from dagster_project.instance import HOST, prepare_instance
from dagster_project.processes import Processes, stop_signals
from dagster_project.web.token import token_of
from pipelines.archive.files import write_whole
from pipelines.errors import ConfigurationError
from pipelines.settings import VARIABLES, Settings

_LOOK = 0.2  # seconds between two looks at the processes
_LONGEST_FOLDER = 85  # bytes: the path of a socket has 103 at most, and Dagster puts others beside ours
_MODULE = ("-m", "dagster_project.definitions", "--location-name", "daybook")
_QUIET = ("--log-level", "warning")
_WORKSPACE = """\
# Written by daybook at every start.
load_from:
  - grpc_server:
      socket: {socket}
      location_name: daybook
"""


def dev(settings: Settings, port: int, show_line: Callable[[str], None]) -> int:
    """Run Dagster's UI and daemon on loopback until they are stopped (Ctrl-C or SIGTERM); its link goes to `show_line`.

    Gives 0. Raises ConfigurationError where the home can't be written, the port is taken or the settings of the jobs
    that trade can't be used, and DaybookError when a process ends by itself; the others are ended then.
    """
    trades = settings.has_trading_jobs()
    home = prepare_instance(settings)
    token = token_of(settings.ui_token)
    with ExitStack() as stack:
        listener = stack.enter_context(_listening(port))
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        os.environ.setdefault("DAYBOOK_DAGSTER_URL", url)  # links in alerts lead there
        private = Path(stack.enter_context(_private_folder()))
        code, workspace = private / "code", home / "workspace.yaml"
        write_whole(workspace, _WORKSPACE.format(socket=code).encode(), durable=False)
        stopped = stack.enter_context(stop_signals())
        services = stack.enter_context(Processes(home, private))

        services.start("code server", _code_server(code, home), _with_keys(trades=trades))
        if _until_it_answers(code, services, stopped):
            services.start("daemon", ("dagster._daemon", "run", "-w", str(workspace)), _without_secrets())
            web = ("dagster_project.web.server", str(workspace), str(listener.fileno()))
            services.start("web pages", web, _without_secrets(), listener.fileno())
            listener.close()
            show_line(f"Dagster's UI is at {url}/?token={token}")
            show_line("The link logs a browser in; keep it to yourself. Ctrl-C ends it.")
        while not stopped:
            services.refuse_ended()
            time.sleep(_LOOK)
    return 0


def _code_server(code: Path, home: Path) -> tuple[str, ...]:
    """Dagster's server of our definitions, which the UI can have loaded again; it runs the runs."""
    return ("dagster", "code-server", "start", "--socket", str(code), "-d", str(home), *_MODULE, *_QUIET)


def _with_keys(*, trades: bool) -> dict[str, str]:
    """The environment of what runs the runs: with the key that trades only where something of it may trade."""
    return {name: value for name, value in os.environ.items() if trades or name != "CLEAR_STREET_TRADING_API_KEY"}


def _without_secrets() -> dict[str, str]:
    """The environment of the daemon and the web pages, which load no code of ours: no key, no address of an alert."""
    kept = ("DAYBOOK_HOME", "DAYBOOK_DAGSTER_URL")
    return {name: value for name, value in os.environ.items() if name not in VARIABLES or name in kept}


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


def _until_it_answers(code: Path, services: Processes, stopped: list[int]) -> bool:
    """Wait until the code server listens, which is when it has loaded our code; False when we are stopped first."""
    while not stopped:
        services.refuse_ended()
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(code)) == 0:
                code.chmod(0o600)
                return True
        time.sleep(_LOOK)
    return False
