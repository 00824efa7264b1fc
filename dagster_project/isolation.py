"""Keeps Python from importing modules out of the working folder: code comes from the installation alone.

Python puts the working folder first among the places of its modules where it runs `-m` or `-c`, and an empty or
relative entry of PYTHONPATH means the working folder too: a `json.py` there would run, with the broker's key.
PYTHONPATH's absolute entries are the user's own choice, as PATH is, and stay.
"""

import os
import sys
from collections.abc import MutableMapping

_INSTALLATION = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120  (no pathlib yet)


def leave_working_folder() -> None:
    """Have this process and its children take no module from the working folder. To be called before other imports."""
    unwanted = {os.path.abspath(entry) for entry in _relative(os.environ)}  # noqa: PTH100
    if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:  # what Python says while it looks for the module to run
        unwanted.add(os.getcwd())  # noqa: PTH109
    unwanted.discard(_INSTALLATION)
    sys.path[:] = [place for place in sys.path if place and os.path.abspath(place) not in unwanted]  # noqa: PTH100
    isolate_children(os.environ)


def isolate_children(environment: MutableMapping[str, str]) -> None:
    """Change an environment so that no Python started in it, by whomever, takes a module from its working folder."""
    environment["PYTHONSAFEPATH"] = "1"
    if _relative(environment):
        places = [place for place in environment["PYTHONPATH"].split(os.pathsep) if place.startswith(os.sep)]
        environment["PYTHONPATH"] = os.pathsep.join(places)
    if not environment.get("PYTHONPATH"):
        environment.pop("PYTHONPATH", None)


def _relative(environment: MutableMapping[str, str]) -> list[str]:
    """The entries of PYTHONPATH that mean another folder in every folder."""
    said = environment.get("PYTHONPATH", "")
    return [place for place in said.split(os.pathsep) if not place.startswith(os.sep)] if said else []
