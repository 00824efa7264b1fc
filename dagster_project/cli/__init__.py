"""The command line `daybook`: one module per family of commands, each only what a person types and reads."""

from dagster_project.cli.app import main

__all__ = ["main"]
