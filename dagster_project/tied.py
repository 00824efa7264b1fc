"""A program of Dagster's that ends when whoever started it is gone, however that one ended.

`python -m dagster_project.tied FD MODULE ARGUMENTS...` runs a module as `python -m MODULE` does. FD is the reading end
of a pipe whose other end the starter alone has: it is closed when the starter ends, killed or not, on every system.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

_GRACE = 20.0  # seconds in which it may end by itself


def _end_with(starter: int) -> None:
    while os.read(starter, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_GRACE)
    os._exit(1)


def main() -> None:
    """Run the module, tied to the starter."""
    starter, module, *arguments = sys.argv[1:]
    os.set_inheritable(int(starter), False)  # noqa: FBT003  (its own children have nobody to watch)
    threading.Thread(target=_end_with, args=(int(starter),), daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
