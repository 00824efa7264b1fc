"""A process that restores a backup and dies by SIGKILL at a step: `python -m tests.support.restorer STEP BACKUP HOME`.

A step is `before` or `after` the nth call of a function of the restore. Without one (`-`) it goes to its end; `count`
prints how often each function is called.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.settings import Settings
from pipelines.warehouse import backup, restoring

#: Every function of the restore that changes something on the disk, where it is called.
STEPS = {
    "copy": (backup, "_copy_tree"),
    "publish": (backup, "publish"),
    "draft": (backup, "_draft"),
    "journal": (restoring, "_write"),
    "move": (restoring, "_move"),
    "link": (restoring, "_link"),
    "sync": (restoring, "_sync"),
    "end": (restoring, "_end"),
    "remove": (restoring, "remove"),
}
calls: Counter[str] = Counter()


def arm(when: str, name: str, nth: int) -> None:
    """From here on this process counts the calls of each step, and dies at the nth of one."""
    for step, (module, function) in STEPS.items():
        deadly = (when, nth) if step == name else ("", 0)
        setattr(module, function, _counted(step, getattr(module, function), *deadly))


def _counted(step: str, real: Callable[..., Any], when: str, nth: int) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls[step] += 1
        strikes = calls[step] == nth
        if strikes and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if strikes and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return wrapper


def main(step: str, what: str, home: str) -> None:
    """Restore `what`, or where it is `-` open the home as a run does; die at the step, such as `before move 2`."""
    when, name, nth = step.split() if step not in ("-", "count") else ("", "", "0")
    arm(when, name, int(nth))
    settings = Settings(base_url="http://127.0.0.1:1", home=Path(home))
    if what == "-":
        restoring.finish_if_killed(settings.home)
    else:
        backup.restore(Path(what), settings, force=True)
    if step == "count":
        print(" ".join(f"{name}={number}" for name, number in calls.items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
