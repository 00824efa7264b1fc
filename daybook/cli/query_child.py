"""The process that runs one query (see query_process.py), within limits of memory, temporary space and time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

    from pipelines.settings import Books

#: Seconds after its time at which the process ends by itself, should nobody end it.
_GRACE = 5.0
_LONGEST = 10.0**8
#: An error may quote all of a query.
_LONGEST_SENTENCE = 1000  # characters
_STACK = 8 * 2**20  # of a thread, which counts as memory though next to nothing of it is used


def main(number: int) -> None:
    """Read a query from the socket with this file number, write its rows to standard output, and say how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well, and it ends us
    warnings.simplefilter("ignore")
    with socket.socket(fileno=number) as parent:
        with parent.makefile("rb") as lines:
            query = json.loads(lines.readline())
        if query["to_file"]:
            sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        signal.setitimer(signal.ITIMER_REAL, min(query["timeout"] + _GRACE, _LONGEST))  # ends a process by itself
        answer = _run(query)
        parent.sendall(json.dumps(answer).encode())
        parent.shutdown(socket.SHUT_WR)
        os._exit(0)  # what DuckDB would tidy up is in a folder that the parent removes


def _end_with(parent: socket.socket) -> None:
    """Ends this process when the parent is gone, and takes away what it can't any more."""
    if not parent.recv(1):
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
        os._exit(1)


def _run(query: dict[str, Any]) -> dict[str, Any]:
    """Send the outcome to the parent process."""
    import duckdb

    from pipelines.errors import ConfigurationError, DaybookError
    from pipelines.warehouse.connect import open_published

    books = _books(query["books"])
    try:
        with open_published(books, query["version"]) as con:
            try:
                limit = _limit_memory(con)
                cut = _write(con, query)
            except (MemoryError, duckdb.OutOfMemoryException) as error:
                raise DaybookError(_too_large(limit, error)) from None
            except duckdb.Error as error:
                raise _failed(error, books) from None
    except BrokenPipeError:
        return {"unread": True}
    except DaybookError as error:
        return {"sentence": str(error)[:_LONGEST_SENTENCE], "exit_code": error.exit_code}
    except OSError as error:
        return {"sentence": f"The rows can't be written ({error.strerror}).", "exit_code": ConfigurationError.exit_code}
    except Exception:
        return {"defect": traceback.format_exc()}
    return {"cut": cut}


def _books(said: str | list[str]) -> Books:
    from pipelines.settings import Lake

    return Path(said) if isinstance(said, str) else Lake(*said)


def _write(con: duckdb.DuckDBPyConnection, query: dict[str, Any]) -> bool:
    from daybook.cli import rows
    from pipelines.warehouse.question import ask

    cut = rows.write(ask(con, query["text"]), query["form"], query["most"])
    sys.stdout.flush()
    return cut


def _limit_memory(con: duckdb.DuckDBPyConnection) -> str:
    """Bounds what the process may take beyond what DuckDB counts, for its own limit doesn't hold for long texts; that
    limit, as DuckDB writes it."""
    from pipelines.warehouse.limits import memory_limit

    if (limit := memory_limit()) is not None:
        import resource

        threads = _STACK * 2 * (os.cpu_count() or 1)
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        bounds = [limit + limit // 2 + threads, *(each for each in (soft, hard) if each != resource.RLIM_INFINITY)]
        resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
    row = con.execute("select current_setting('memory_limit')").fetchone()
    return str(row[0]) if row else ""


def _failed(error: duckdb.Error, books: Books) -> Exception:
    import duckdb

    from pipelines.errors import ConfigurationError, DaybookError
    from pipelines.settings import Lake

    if "No space left on device" in str(error):
        return DaybookError(
            f"The disk of {Path(os.environ['TMPDIR']).parent} is full, and the query needs room there: free some, or "
            "set TMPDIR to a folder that has more."
        )
    if isinstance(books, Lake) and isinstance(error, (duckdb.IOException, duckdb.HTTPException)):
        from pipelines.warehouse.lake.problems import lost

        if problem := lost(books, error):
            return problem
    reason = str(error).partition("\n\nLINE ")[0]  # without the drawing of where it is
    return ConfigurationError(
        f"The query failed: {' '.join(line.strip() for line in reason.splitlines() if line.strip())}"
    )


def _too_large(limit: str, error: BaseException) -> str:
    from pipelines.warehouse.limits import readable, temporary_limit

    folder = Path(os.environ["TMPDIR"])
    if "max_temp_directory_size" in str(error):
        return (
            f"The query needs more than the {readable(temporary_limit(folder))} of temporary space that it may have in "
            f"{folder.parent}: ask for less at a time, or set TMPDIR to a folder with more free space."
        )
    return (
        f"The query needs more memory than the {limit} that it may have, half of what is free: ask for less at a time, "
        "or end other programs."
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
