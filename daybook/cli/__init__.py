"""The command line `daybook`: one module per family of commands, each only what a person types and reads."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    from daybook.cli.app import main as run

    return run(arguments)
