"""The command line `daybook`: one module per family of commands, each only what a person types and reads."""

import gc
from collections.abc import Sequence

#: Importing makes hundreds of thousands of objects that stay. By itself Python looks after every 700 of them whether
#: one has become garbage, in vain: an eighth of the start of an end of day.
_OBJECTS_BEFORE_LOOKING = 50_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    gc.set_threshold(_OBJECTS_BEFORE_LOOKING, *gc.get_threshold()[1:])
    from daybook.cli.app import main as run

    return run(arguments)
