"""Every documented answer of the six position operations, in every documented status, as the command shows it and as
the books keep it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from daybook.cli.app import main
from tests.support.broker_server import BrokerServer, Fault, position
from tests.support.command_line import KEY, ask
from tests.support.trading_desk import FRIDAY, FRIDAY_NOON, TAKEN
from tests.support.trading_server import Recorder
from tests.unit.test_trading_answers import METHODS, OUTCOMES, SPECIFICATIONS

OF_ACCOUNT = "/v1/accounts/{account_id}"
LISTS = {
    ("get", f"{OF_ACCOUNT}/positions"): "positions",
    ("get", f"{OF_ACCOUNT}/positions/instructions"): "instructions",
}
GOOG, CONTRACT = "c3c4c5c6-d3d4-e3e4-f3f4-f5f6f7f8f9fa", "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e01"
CODES = {"DONE": 0, "PARTIAL": 3, "REJECTED": 1, "UNKNOWN": 3}
#: A cancellation is documented without an example: what its schema asks for.
CANCELLED = {
    "account_id": 122503,
    "id": TAKEN,
    "instruction_id": "ui-20260424-001",
    "instruction_type": "EXERCISE",
    "instrument_id": CONTRACT,
    "quantity": "1",
    "status": "CANCEL_REQUESTED",
    "symbol": "AAPL  280121C00195000",
}


def documented(operations: dict[tuple[str, str], str]) -> list[Any]:
    """Operation, status and body of every documented example; where a status has none, of what its schema says. What
    both specifications say is there once."""
    found: dict[tuple[str, bytes], Any] = {}
    for path in sorted(SPECIFICATIONS.glob("*.json")):
        paths = orjson.loads(path.read_bytes())["paths"]
        for (method, name), operation in operations.items():
            for status, response in paths[name][method]["responses"].items():
                content = response["content"]["application/json"]
                examples = {title: each["value"] for title, each in content.get("examples", {}).items()}
                for title, body in (examples or _without_example(operation, int(status))).items():
                    label = f"{path.stem}-{operation}-{status}-{title}"
                    found[f"{operation}-{status}", orjson.dumps(body)] = pytest.param(
                        operation, int(status), body, id=label
                    )
    return list(found.values())


def _without_example(operation: str, status: int) -> dict[str, Any]:
    metadata = {"request_id": "0a5c9ebf-a9a7-4f2d-9c7e-f2b5f0b1bd09"}
    if status == 200:
        return {"schema": {"data": CANCELLED if "cancel" in operation else [], "error": None, "metadata": metadata}}
    error = {"code": status, "message": f"what {status} says"}
    return {"schema": {**error, "details": []}, "envelope": {"error": error, "metadata": metadata}}


WRITES, READS = documented(METHODS), documented(LISTS)


def test_every_operation_and_every_declared_status_is_among_them() -> None:
    if not SPECIFICATIONS.exists():
        pytest.skip("../shared/openapi is absent, which has the specification")
    seen: dict[str, set[int]] = {}
    for each in (*WRITES, *READS):
        seen.setdefault(each.values[0], set()).add(each.values[1])
    assert seen == {
        "close_position": {200, 400, 403, 500},
        "close_positions": {200, 400, 403, 500},
        "submit_position_instructions": {200, 207, 400, 403, 404, 409, 500, 503},
        "cancel_position_instruction": {200, 403, 404, 409, 503},
        "positions": {200, 403, 500},
        "instructions": {200, 400, 403, 404, 503},
    }


@contextmanager
def broker(account: int, home: Path, patch: pytest.MonkeyPatch, **books: Any) -> Iterator[Recorder]:
    """A broker with a position to close and an instruction to cancel, and the environment of a command that uses it."""
    held = [position(account, 1, instrument_id=GOOG, symbol="GOOG", quantity="25")]
    given = [{**CANCELLED, "account_id": account, "status": "SENT"}]
    of: dict[str, Any] = {"positions": held, "instructions": given, "executions": [], "orders": [], "history": []}
    stocked: dict[str, Any] = {name: {account: rows} for name, rows in {**of, **books}.items() if name != "faults"}
    with (
        BrokerServer([account], **stocked, contracts=[], now=FRIDAY_NOON, faults=books.get("faults", [])) as server,
        Recorder(server.url) as recorder,
    ):
        patch.setenv("DAYBOOK_HOME", str(home))
        patch.setenv("CLEAR_STREET_BASE_URL", recorder.url)
        patch.setenv("CLEAR_STREET_API_KEY", KEY)
        server.now = FRIDAY if "faults" in books else FRIDAY_NOON
        yield recorder


def command(operation: str, account: int, keys: list[str], folder: Path) -> list[str]:
    """The command that does an operation."""
    batch = folder / "batch.json"
    row = {"instruction_type": "EXERCISE", "instrument_id": CONTRACT, "quantity": "1"}
    batch.write_bytes(orjson.dumps([{**row, "client_instruction_id": key} for key in keys or ["mine"]]))
    what = {
        "close_position": ["positions", "close", "--instrument", "GOOG"],
        "close_positions": ["positions", "close-all"],
        "submit_position_instructions": ["instructions", "submit", "--file", str(batch)],
        "cancel_position_instruction": ["instructions", "cancel", "--id", TAKEN],
    }[operation]
    return [*what, "--account", str(account), "--yes"]


@pytest.mark.parametrize(("operation", "status", "body"), WRITES)
def test_an_answer_is_landed_and_shown_row_by_row(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    operation: str,
    status: int,
    body: dict[str, Any],
) -> None:
    data = body.get("data") or []
    rows = data if isinstance(data, list) else [data]
    account = rows[0]["account_id"] if rows else 122503
    keys = list(dict.fromkeys(row["instruction_id"] for row in rows if "submit" in operation))
    with broker(account, tmp_path / "home", monkeypatch) as recorder:
        recorder.canned = (status, body)
        code = main(command(operation, account, keys, tmp_path))
        assert len(recorder.writes) == 1
    out, err = capsys.readouterr()
    nothing_told = status >= 500 and not rows
    outcome = "UNKNOWN" if nothing_told else OUTCOMES.get(str(status), "REJECTED")
    assert code == CODES[outcome], err
    for row in rows:
        assert row["symbol"] in out
        assert row["status"] in out
        assert row.get("rejection_reason", "") in out
    error = body.get("error") or (body if status != 200 and "error" not in body else None)
    if error:
        assert error["message"] in err
    warehouse = tmp_path / "home" / "warehouse.duckdb"
    table = "raw.orders" if operation.startswith("close") else "raw.position_instructions"
    stored = ask(warehouse, f"select symbol, status, quantity::double from {table} order by all")
    assert stored == sorted((row["symbol"], row["status"], float(row["quantity"])) for row in rows)
    manifest = ask(warehouse, "select endpoint, http_status, status, rows_landed from raw.extract_manifest")
    assert manifest == [(operation, status, outcome, len(rows))]


#: A server's own errors are asked about again, which takes its time: once for each is enough.
REFUSED = [each for each in READS if each.values[1] != 200 and (each.values[1] < 500 or "error" in each.values[2])]


@pytest.mark.parametrize(("endpoint", "status", "body"), REFUSED)
def test_a_list_that_is_refused_is_one_sentence_and_a_fact_in_the_books(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    endpoint: str,
    status: int,
    body: dict[str, Any],
) -> None:
    fault = Fault(endpoint, status=status, body=body, times=None, headers={"Retry-After": "1000"})
    with broker(100, tmp_path / "home", monkeypatch, faults=[fault]):
        assert main([endpoint, "list", "--account", "100", *(["--json"] if "error" in body else [])]) == 1
        out, err = capsys.readouterr()
        failed = {"error": err.removeprefix("daybook: ").strip(), "exit_code": 1}
        assert (json.loads(out) if out else None) == (
            failed if "error" in body else None
        )  # no list, not even an empty one
        assert str(status) in err
        assert len(err.splitlines()) == 1
        assert main(["sync"]) == 3
    table = {"positions": "positions", "instructions": "position_instructions"}[endpoint]
    said = ask(
        tmp_path / "home" / "warehouse.duckdb",
        f"select status, http_status, rows_landed from raw.extract_manifest where endpoint = '{table}'",
    )
    assert said == [("FAILED", status, 0)]


@pytest.mark.parametrize(("endpoint", "status", "body"), [each for each in READS if each.values[1] == 200])
def test_a_list_is_shown_and_landed_as_the_broker_states_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    endpoint: str,
    status: int,
    body: dict[str, Any],
) -> None:
    rows = body["data"] or [CANCELLED]
    account = rows[0]["account_id"]
    with broker(account, tmp_path / "home", monkeypatch, faults=[], **{endpoint: rows}):
        assert main([endpoint, "list", "--account", str(account)]) == 0
        out, _ = capsys.readouterr()
        assert all(row["symbol"] in out for row in rows)
        assert f"{len(rows)} {endpoint[:-1]}" in out
        assert main([endpoint, "list", "--account", str(account), "--json"]) == 0
        shown = orjson.loads(capsys.readouterr().out)
        assert main(["sync"]) == 0
    assert [row["symbol"] for row in shown] == sorted(row["symbol"] for row in rows)
    table = {"positions": "positions", "instructions": "position_instructions"}[endpoint]
    landed = ask(tmp_path / "home" / "warehouse.duckdb", f"select symbol, quantity::double from raw.{table} order by 1")
    assert landed == sorted((row["symbol"], float(row["quantity"])) for row in rows)
