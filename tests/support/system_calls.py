"""What a process asks the system to do with files, seen from outside by strace, in order."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: What changes a file, its name, or what a power cut leaves of it.
CHANGES = {"write", "writev", "pwrite64", "pwritev", "copy_file_range", "sendfile", "ftruncate", "chmod", "fchmodat"}
SYNCS = {"fsync", "fdatasync"}
RENAMES = {"rename", "renameat", "renameat2"}
TRACED = ",".join(sorted({"openat"} | CHANGES | SYNCS | RENAMES))
_CALL = re.compile(r"^\d+ +(\w+)\((.*)")
_OPEN_FILE = re.compile(r"\b\d+<([^>]*)>")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """A call of the system, and the files that it is about: of a renaming, from and to."""

    name: str
    paths: tuple[Path, ...]


def can_trace() -> bool:
    """Whether strace is there and may look at a process."""
    strace = shutil.which("strace")
    return strace is not None and subprocess.run([strace, "-o/dev/null", "true"], capture_output=True).returncode == 0


def traced(program: str, folder: Path, *arguments: str) -> list[Call]:
    """What a Python program and those that it starts asked for, in `folder`'s files, until it ended well."""
    told = folder.with_name("system-calls.txt")
    strace = ["strace", "-f", "-y", "-qq", "-s0", "--seccomp-bpf", f"-e{TRACED}", f"-o{told}"]
    ended = subprocess.run([*strace, sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    calls = [call for line in told.read_text(errors="replace").splitlines() if (call := _call(line))]
    return [call for call in calls if any(path.is_relative_to(folder) for path in call.paths)]


def _call(line: str) -> Call | None:
    found = _CALL.match(line)
    if found is None or " = -1 " in line:
        return None
    name, rest = found.groups()
    if name in {"openat", "chmod", "fchmodat"} | RENAMES:
        return Call(name, tuple(map(Path, _NAME.findall(rest))))
    opened = _OPEN_FILE.findall(rest)
    return Call(name, (Path(opened[1 if name == "copy_file_range" else 0]),)) if opened else None
