"""Refuses to start beside packages of other people that are called like ours: their code would run in ours' place.

The names of our packages are common ones. Where another package of the same name comes first among the places of
Python's modules, or has been installed over ours, nothing says so, and anything may happen after.
"""

import sys
from importlib import util  # a part of Python that no folder can stand in for
from os.path import abspath, dirname

_INSTALLATION = dirname(dirname(abspath(__file__)))  # noqa: PTH100, PTH120  (no pathlib yet)
#: In the head of each of our packages.
_MARK = b"\nStays out: "


def refuse_strangers(*packages: str) -> None:
    """End the program with 2 and a sentence where one of the packages, of ours by name, is somebody else's.

    None of them is imported. Modules that a stranger adds to one of ours without a head of its own are not noticed.
    """
    for name in packages:
        found = util.find_spec(name)
        where = found.origin if found else None
        if where is None or not _is_ours(where):
            print(
                f"daybook: Python finds another package under the name of daybook's '{name}' ({where or 'a folder'}): "
                "install daybook alone in a virtual environment, and leave what is called so out of PYTHONPATH.",
                file=sys.stderr,
            )
            raise SystemExit(2)


def _is_ours(path: str) -> bool:
    if dirname(dirname(abspath(path))) != _INSTALLATION:  # noqa: PTH100, PTH120
        return False
    with open(path, "rb") as file:  # noqa: PTH123
        return _MARK in file.read(4096)
