"""Commands that fail: one sentence, once, that says what to do; a JSON document for a script; and nothing is made."""

from __future__ import annotations

import json
import os
import re
import socket
from pathlib import Path

import pytest

from daybook.cli import main
from pipelines.alerts.alert import Alert, send
from pipelines.errors import ConfigurationError, DaybookError, Unauthorized, todo_after
from pipelines.settings import Settings
from pipelines.warehouse.lock import run_lock
from tests.support.care import NOBODY


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a home would be, and a broker that nobody is."""
    for name in [each for each in os.environ if each.startswith(("CLEAR_STREET_", "DAYBOOK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", NOBODY)
    return tmp_path / "home"


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code, what was printed, and the one sentence on stderr."""
    code = main(arguments)
    out, err = capfd.readouterr()
    (sentence,) = err.splitlines()
    assert sentence.startswith("daybook: ")
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    return code, out, sentence


#: What only reads or builds, and how it ends where there is nothing.
READING = {
    "build": 1,
    "replay": 1,
    "report": 1,
    "sql select": 1,
    "verify": 2,
    "backup": 2,
    "compact": 1,
    "prune --archive-before 2025-01-01": 1,
    "lock --through 2025-01-02 --yes": 1,
}


def test_what_only_reads_or_builds_makes_no_home(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for command, expected in READING.items():
        assert told(capfd, *command.split())[0] == expected, command
        assert not home.exists(), command
    assert main(["status"]) == 0
    assert main(["doctor"]) == 0
    assert not home.exists()


def test_a_home_that_is_a_file_is_told_by_every_command(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home.write_text("precious")
    for command in (*READING, "sync", "eod"):
        code, _, sentence = told(capfd, *command.split())
        assert code == 2, command
        assert f"DAYBOOK_HOME ({home})" in sentence
    assert main(["status"]) == 0
    assert "is not a folder" in capfd.readouterr().out
    assert main(["doctor"]) == 1
    assert "is not a folder" in capfd.readouterr().out
    assert home.read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("build --json", 1),
        ("report --json", 1),
        ("verify --json", 2),
        ("backup --json", 2),
        ("compact --json", 1),
        ("replay --json", 1),
        ("sync --json --nonsense", 2),
        ("positions close --json", 2),
        ("instructions submit --account 1 --json", 2),
        ("positions list --account x --json", 2),
    ],
)
def test_a_script_that_asks_for_json_gets_it_of_a_failure_too(
    home: Path, arguments: str, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    ended, out, sentence = told(capfd, *arguments.split())
    assert json.loads(out) == {"error": sentence.removeprefix("daybook: "), "exit_code": code}
    assert ended == code
    assert not home.exists()


def test_a_list_that_a_broker_does_not_give_is_json_of_a_failure_once(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, sentence = told(capfd, "positions", "list", "--account", "20517", "--json")
    assert json.loads(out) == {"error": sentence.removeprefix("daybook: "), "exit_code": 1}
    assert code == 1
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("sync --nonsense", "daybook sync"),
        ("sql", "daybook sql"),
        ("build --from yesterday", "daybook build"),
        ("positions nothing", "daybook positions"),
        ("positions close", "daybook positions close"),
        ("instructions submit", "daybook instructions submit"),
        ("nothing", "daybook"),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_is_wrong_with_an_option_points_to_the_help_of_its_own_command(
    arguments: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, _, sentence = told(capfd, *arguments.split())
    assert code == 2
    assert f"`{command} --help` says" in sentence


@pytest.mark.parametrize("given", ["nan", "inf", "-1", "soon"])
def test_a_wait_is_a_time_that_ends(home: Path, given: str, capfd: pytest.CaptureFixture[str]) -> None:
    for command in ("sync", "positions close --account 1 --instrument X"):
        code, _, sentence = told(capfd, *command.split(), "--wait", given)
        assert code == 2
        assert f"'{given}' is not a time: give seconds, 0 or more" in sentence
    assert not home.exists()


def test_a_port_in_use_is_one_sentence_and_nothing_is_started(
    home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, out, sentence = told(capfd, "sandbox", "--port", port)
    assert (code, out) == (2, "")
    assert f"Port {port} can't be used" in sentence
    assert not home.exists()


def test_what_to_do_fits_what_happened() -> None:
    assert "before 04:00 New York" in todo_after(DaybookError.__name__)
    assert "before 04:00 New York" in todo_after("OperationalError")
    for error in (ConfigurationError, Unauthorized):
        assert "04:00" not in todo_after(error.__name__)
    assert "CLEAR_STREET_API_KEY" in todo_after(Unauthorized.__name__)


def test_what_runs_now_is_told_with_its_process_and_the_rest_is_not_called_well(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home.mkdir(mode=0o700)
    with run_lock(home / "run.lock", command="daybook eod"):
        assert main(["status"]) == 0
        assert re.search(rf"A run is going on since \S+: process {os.getpid()} \(daybook eod\)", capfd.readouterr().out)
        assert main(["doctor"]) == 0
        said = capfd.readouterr().out
    assert "These books are in use by process" in said
    assert "Nothing is wrong." not in said


def test_what_failed_last_is_told_until_books_are_published(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home.mkdir(mode=0o700)
    settings = Settings(home=home, base_url=NOBODY)
    send(settings, Alert("daybook eod failed: the broker was away.", "Run it again.", kind="RUN_FAILED"))
    send(settings, Alert("A later matter.", "Nothing.", kind="INCOMPLETE"))
    with (home / "alerts.log").open("a") as log:
        log.write("a line that somebody wrote\n[]\n")
    capfd.readouterr()
    assert main(["status"]) == 0
    assert "the broker was away. Run it again." in " ".join(capfd.readouterr().out.split())
    assert main(["doctor"]) == 0
    doctor = capfd.readouterr().out
    assert "WARN The last evening failed" in doctor
    assert "Run it again." in doctor
    settings.published.write_bytes(b"published since")
    assert main(["status", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["last_failure"]["is_over"] is True
    main(["doctor"])
    assert "The last evening failed" not in capfd.readouterr().out
