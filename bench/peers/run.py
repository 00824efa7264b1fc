"""The peers as designs: each is started in its own environment, and leaves raw.positions in a DuckDB file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
#: The peers, and the packages whose versions say what was measured.
PEERS = {"singer": ("singer-sdk", "target-duckdb"), "airbyte": ("airbyte", "airbyte-cdk")}


def environment(peer: str) -> Path:
    """Where a peer is installed, if it is."""
    return ROOT / f".venv-peers-{peer}"


def installed(peer: str) -> bool:
    """Whether its environment is there and whole."""
    return (environment(peer) / "ready").exists()


def versions(peer: str) -> str:
    """What a peer is made of, as locked."""
    locked = (ROOT / "requirements" / f"peers-{peer}.txt").read_text()
    found = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", locked, re.MULTILINE))
    return ", ".join(f"{package} {found[package]}" for package in PEERS[peer])


def singer(url: str, folder: Path) -> None:
    """A tap written with the Singer SDK, piped into target-duckdb."""
    programs = environment("singer") / "bin"
    tap, target = folder / "tap.json", folder / "target.json"
    tap.write_text(json.dumps({"base_url": url}))
    target.write_text(json.dumps({"path": str(folder / "singer.duckdb"), "default_target_schema": "raw"}))
    command = [str(programs / "python"), str(HERE / "tap_broker.py"), "--config", str(tap)]
    with (
        (folder / "singer.log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as source,
    ):
        subprocess.run(
            [str(programs / "target-duckdb"), "--config", str(target)],
            stdin=source.stdout,
            stdout=log,
            stderr=log,
            check=True,
        )
    assert source.returncode == 0, (folder / "singer.log").read_text()[-500:]


def airbyte(url: str, folder: Path) -> None:
    """PyAirbyte with a declarative source, into its DuckDB cache. No connector is fetched; it phones nobody."""
    quiet = {"DO_NOT_TRACK": "1", "AIRBYTE_OFFLINE_MODE": "1", "AIRBYTE_LOGGING_ROOT": str(folder / "logs")}
    command = [str(environment("airbyte") / "bin" / "python"), str(HERE / "declared.py"), url, str(folder)]
    with (folder / "airbyte.log").open("w") as log:
        subprocess.run(command, stdout=log, stderr=log, check=True, cwd=folder, env={**os.environ, **quiet})
