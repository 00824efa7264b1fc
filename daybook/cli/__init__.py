"""The command line `daybook`: one module per family of commands, each only what a person types and reads."""

from dagster_project.isolation import leave_working_folder

leave_working_folder()  # before anything else is imported


from collections.abc import Sequence  # noqa: E402


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    from daybook.cli.app import main as run

    return run(arguments)
