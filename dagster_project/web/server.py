"""Dagster's webserver in a process of our own, with the check in front of it: nothing of it listens anywhere else.

Started by `dagster_project.services`, which hands over a socket that listens already: nobody can take the port first.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import uvicorn
from dagster._core.workspace.load import load_workspace_process_context_from_yaml_paths  # it has no public name
from dagster_webserver.app import create_app_from_workspace_process_context

from dagster_project.web.guard import Guard
from dagster_project.web.rules import allowed_origins
from dagster_project.web.token import token_of
from pipelines.settings import Settings

#: As `dagster-webserver` has them: a statement's longest time, a connection's, in ms and s; connections above the pool.
_DATABASE = (15_000, 3_600, 20)
_POLL = 2_000  # ms between two looks of a page at what has changed
_GRACE = 5  # seconds that open requests have when it ends


def serve(settings: Settings, workspace: Path, listener: socket.socket) -> None:
    """Serve the UI on a listening socket of loopback until SIGINT or SIGTERM."""
    port = listener.getsockname()[1]
    with (
        dg.DagsterInstance.get() as instance,
        load_workspace_process_context_from_yaml_paths(
            instance, [str(workspace)], version("dagster-webserver")
        ) as context,
    ):
        instance.optimize_for_webserver(*_DATABASE)
        app = create_app_from_workspace_process_context(context, live_data_poll_rate=_POLL)
        origins = allowed_origins(port, settings.dagster_url)
        guard = Guard(app, token_of(settings.ui_token), origins, f"daybook_{port}")
        config = uvicorn.Config(
            guard,
            log_level="warning",
            access_log=False,  # a line of it would have the token
            proxy_headers=False,  # who a request comes from is not a matter of what it says
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        uvicorn.Server(config).run(sockets=[listener])


def main() -> None:
    """`python -m dagster_project.web.server WORKSPACE FD`."""
    workspace, handle = sys.argv[1:]
    # uvicorn passes on the signal that ended it
    with suppress(KeyboardInterrupt), socket.socket(fileno=int(handle)) as listener:
        serve(Settings.from_env(), Path(workspace), listener)


if __name__ == "__main__":
    main()
