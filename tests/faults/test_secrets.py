"""F16: after evenings of every kind, failures included, the key is in nothing that was written, printed or
shown to `ps`."""

from __future__ import annotations

import gzip
import subprocess
import threading
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
import zstandard

from daybook.cli import failure
from pipelines.settings import Settings
from tests.support.broker_server import Fault
from tests.support.command_line import DAYBOOK, Ended, environment
from tests.support.escapes import ESCAPES, has_key
from tests.support.fault_books import BIG, FLAT, SMALL, broker

KEY = "sk-4711-QXNrTm90VGhlS2V5-never-to-be-seen"
TRADING = "tk-0815-VHJhZGluZ0tleQ-never-to-be-seen"
ECHO = {"error": {"code": 503, "message": f"no session for Bearer {KEY}", "details": [{"header": f"Bearer {KEY}"}]}}
MAGIC = b"\x28\xb5\x2f\xfd"


def run(home: Path, url: str, *arguments: str, key: str = KEY) -> Ended:
    """A command, watched while it runs: neither it nor a child of its shows a key in its arguments or its title."""
    process = subprocess.Popen(
        [DAYBOOK, *arguments],
        env=environment(home, url) | {"CLEAR_STREET_API_KEY": key, "CLEAR_STREET_TRADING_API_KEY": TRADING},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    shown: set[bytes] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            shown.update(_command_lines())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        out, err = process.communicate(timeout=120)
    finally:
        ended.set()
        watching.join()
    assert any(arguments[0].encode() in line for line in shown)  # it was looked at while it ran
    assert not [line for line in shown if secret_in(line)]
    assert not secret_in(out + err)
    return Ended(process.returncode, out.decode(), err.decode())


def _command_lines() -> list[bytes]:
    lines = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(each.read_bytes())
        except OSError:
            continue
    return lines


def secret_in(content: bytes) -> bool:
    return has_key(content, (KEY, TRADING))


def escaped(whole: dict[str, Any]) -> bytes:
    """An answer with both keys, in every shape, in the symbol of its rows and in a field that no model has."""
    canary = " ".join(escape(key) for escape in ESCAPES.values() for key in (KEY, TRADING))
    rows = [row | {"symbol": "@", "note": ["@"]} for row in whole["data"]]
    return orjson.dumps(whole | {"data": rows}).replace(b"@", canary.encode())


def unpacked(path: Path) -> bytes:
    """A file's bytes, and what they are packed from."""
    content = path.read_bytes()
    if MAGIC in content:
        reader = zstandard.ZstdDecompressor().stream_reader(content[content.index(MAGIC) :], read_across_frames=True)
        return content + reader.read()
    if content[:2] == b"\x1f\x8b":
        return content + gzip.decompress(content)
    if path.suffix in (".xlsx", ".zip"):
        from zipfile import ZipFile

        with ZipFile(path) as packed:
            return b"".join(packed.read(name) for name in packed.namelist())
    return content


def texts_of(path: Path) -> bytes:
    """Every value of every column of a DuckDB file, as text: on the disk they are packed."""
    with duckdb.connect(path, read_only=True) as con:
        names = con.execute(
            "select '\"' || schema_name || '\".\"' || table_name || '\"' from duckdb_tables()"
        ).fetchall()
        return b"".join(repr(con.execute(f"select * from {name}").fetchall()).encode() for (name,) in names)


def leaks(home: Path) -> list[Path]:
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) > 20
    return [
        path for path in files
        if secret_in(unpacked(path)) or (path.suffix == ".duckdb" and secret_in(texts_of(path)))
    ]  # fmt: skip


@pytest.mark.heavy
def test_the_key_is_nowhere_after_evenings_of_every_kind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    elsewhere = {"Location": f"https://elsewhere.test/?token={KEY}", "X-Request-Id": f"req-{KEY}"}
    with broker(key=KEY) as server:
        server.faults = [
            Fault("positions", str(BIG), status=503, body=ECHO, headers={"X-Request-Id": f"req-{KEY}"}),
            Fault("positions", str(BIG), status=200, body=b"<html>Bearer " + KEY.encode()),
            Fault("positions", str(SMALL), times=None, status=403, body=ECHO),
            Fault("positions", str(FLAT), times=None, status=302, body=b"", headers=elsewhere),
            Fault("balances", times=None, status=400, body={"error": {"message": KEY}}),
            Fault("orders", str(BIG), edit=lambda whole: whole.update(error={"message": f"Bearer {KEY}"})),
            Fault("executions", str(SMALL), reset=True),
        ]
        assert run(home, server.url, "sync").code == 3
        assert run(home, server.url, "build").code == 3
        page = {"data": server.positions[str(SMALL)], "error": None, "metadata": {"request_id": TRADING}}
        server.faults = [
            Fault("positions", str(SMALL), body=escaped(page), headers={"X-Request-Id": TRADING}, times=None),
            Fault("accounts", headers={"X-Request-Id": f"{TRADING} {KEY}", "Date": KEY}, times=None),
        ]
        eod = run(home, server.url, "eod")
        assert eod.code == 0, eod.err
        assert "[key]" in run(home, server.url, "sql", "select symbol from core.position_eod").out
        told = run(home, server.url, "sql", "select check_name from quality.finding").out
        assert "key_repeated" in told
        server.faults = []
        server.key = "another one"
        server.faults = [Fault("clock", times=1, status=401, body=ECHO), Fault("accounts", status=401, body=ECHO)]
        for command in ("sync", "eod"):
            refused = run(home, server.url, command)
            assert refused.code == 1
            assert "401" in refused.err
        for arguments in (["status"], ["status", "--json"], ["report"], ["sql", "from raw.extract_manifest"]):
            assert run(home, server.url, *arguments).code == 0
        unfit = run(home, server.url, "sync", key=f"{KEY} and more")
        assert unfit.code == 2
    assert "elsewhere.test" not in {request.headers.get("host") for request in server.requests}
    assert leaks(home) == []


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for number in range(21):
        (tmp_path / f"{number}.txt").write_text("nothing")
    packed = zstandard.ZstdCompressor().compress(b"x" * 50 + KEY.encode() * 9)
    (tmp_path / "a.json.zst").write_bytes(b"head" + packed)
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(TRADING.encode() * 9))
    (tmp_path / "deep" / "c.log").write_text(f"Authorization: Bearer {KEY}")
    with duckdb.connect(tmp_path / "d.duckdb") as con:
        con.execute("create table t as select 'x' || i as a, ? as b from range(5000) as r(i)", [KEY])
    (tmp_path / "e.json").write_text("".join(f"\\u{ord(letter):04X}" for letter in TRADING))
    found = sorted(path.name for path in leaks(tmp_path))
    assert found == ["a.json.zst", "b.json.gz", "c.log", "d.duckdb", "e.json"]


def test_the_details_of_a_defect_have_no_key_where_another_setting_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"CLEAR_STREET_API_KEY": KEY, "CLEAR_STREET_TRADING_API_KEY": TRADING}.items():
        monkeypatch.setenv(name, value)
    without = Settings(home=tmp_path)  # what is left where the environment's can't be used
    monkeypatch.setattr(failure, "_settings", lambda: without)
    failure.unexpected(RuntimeError(f"a defect with {KEY} and {TRADING}"))
    (log,) = (tmp_path / "logs").iterdir()
    assert "a defect with [key] and [key]" in log.read_text()
