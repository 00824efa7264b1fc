"""Asks for known vulnerabilities of every locked package: `make audit`.

Runs in an environment of its own, which has pip-audit and none of our packages. pip-audit calls what an index does not
know "no known vulnerabilities", so it is asked first for an old version that has some: where that one comes back clean,
or nobody answers, nothing was audited, and that is what is said.

Exit codes: 0 nothing is known against any package, or there was nobody to ask; 1 something is known, or the audit
itself is broken.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
#: A version that nobody should use, with several advisories since 2014.
KNOWN_BAD = "jinja2==2.4.1"
UNREACHABLE = ("Could not connect", "ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "SSLError")

Report = list[dict[str, Any]]


class Broken(Exception):
    """pip-audit ended without a report, and not for want of an answer."""


def read_report(out: str, err: str) -> Report | None:
    """The packages that pip-audit reported on; None where no service answered it. Raises Broken."""
    try:
        found: Report = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        if any(name in err for name in UNREACHABLE):
            return None
        raise Broken(f"pip-audit could not audit: {last}") from error
    return found


def known(report: Report) -> list[str]:
    """What is known against the packages of a report, a line each."""
    return [
        f"{package['name']} {package['version']}: {each['id']}, fixed in {', '.join(each['fix_versions']) or 'none'}"
        for package in report
        for each in package.get("vulns", ())
    ]


def verdict(probe: Report | None, audited: Report | None) -> tuple[int, list[str]]:
    """The exit code, and what to say: of the probe with a bad version, and of our own packages."""
    if probe is None or audited is None:
        return 0, ["skipped: no index reachable."]
    if not known(probe):
        return 0, [f"skipped: no index reachable that knows advisories (it has none against {KNOWN_BAD})."]
    found = sorted(set(known(audited)))
    unseen = sorted({package["name"] for package in audited if "skip_reason" in package})
    said = [*found, *(f"{name}: not known to the index, so not audited" for name in unseen)]
    seen = len({(package["name"], package["version"]) for package in audited if "vulns" in package})
    if not seen:
        return 1, [*said, "None of the locked packages was audited."]
    return int(bool(found)), [*said, f"{seen} packages audited, {len(found)} known vulnerabilities."]


def ask(files: Iterable[Path]) -> Report | None:
    """Have pip-audit look up what requirements files lock. Nothing is downloaded or built. Raises Broken."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    command += ["--format", "json", "--timeout", "15", *(part for file in files for part in ("-r", str(file)))]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    return read_report(done.stdout, done.stderr)


def main() -> int:
    """Audit every lock, and say so."""
    with TemporaryDirectory(prefix="audit-") as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(f"{KNOWN_BAD}\n")
        try:
            sees = ask([probe])
            code, said = verdict(sees, ask(sorted(REQUIREMENTS.glob("*.txt"))) if sees and known(sees) else [])
        except Broken as error:
            code, said = 1, [str(error)]
    print("\n".join(said), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
