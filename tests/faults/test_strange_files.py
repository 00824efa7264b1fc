"""F31: what people put where daybook reads is looked at first. A pipe, a link, a folder or a file without end costs a
sentence, never a run that hangs; of bad lines the first are named and the rest are counted."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.instance import prepare_instance
from daybook.cli.app import main
from pipelines.alerts.alert import Alert, send
from pipelines.books.adjustments import COLUMNS, MOST_BYTES, read_adjustments
from pipelines.errors import ConfigurationError
from pipelines.settings import Settings
from pipelines.warehouse.doctor import examine
from tests.support.care import NOBODY
from tests.support.command_line import DAYBOOK, environment

HEAD = ",".join(COLUMNS) + "\n"
GOOD = "2025-10-30,100,CASH_IN_LIEU,abc,,,1.50,,,me,{note}\n"
WIDEST = 3000  # letters of a sentence about a file


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, _inside(path.parent):
        made.bind(path.name)


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("not there"))


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


class _inside:  # noqa: N801  (a path of a socket is short)
    def __init__(self, folder: Path) -> None:
        self._folder, self._before = folder, Path.cwd()

    def __enter__(self) -> None:
        os.chdir(self._folder)

    def __exit__(self, *_: object) -> None:
        os.chdir(self._before)


STRANGE = [pipe, folder, device, a_socket, link_to_nothing, link_to_itself]


@pytest.fixture
def settings(home_of_two_evenings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of it, and the environment's."""
    shutil.copytree(home_of_two_evenings, tmp_path / "home", symlinks=True)
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", NOBODY)
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def sentence(capfd: pytest.CaptureFixture[str]) -> str:
    """The one sentence of an error; it is short."""
    (said,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("daybook: ")]
    assert "should not have happened" not in said
    assert len(said) < WIDEST
    return said


@pytest.mark.parametrize("put", STRANGE, ids=lambda put: put.__name__)
def test_an_adjustments_file_that_is_none_is_a_sentence_and_nothing_is_built(
    put: Callable[[Path], None], settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    put(settings.adjustments)
    assert main(["build"]) == 2
    assert "adjustments.csv can't be read" in sentence(capfd)


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_adjustments(path)
    assert len(str(caught.value)) < WIDEST
    return str(caught.value)


def test_a_line_without_end_and_a_file_without_end_are_refused_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "adjustments.csv"
    assert "field larger than" in refusal(path, HEAD.encode() + b"x" * 2_000_000)
    with path.open("wb") as file:
        file.write(HEAD.encode())
        file.truncate(200_000_000)  # a hole: it takes no space, and would take all of it in memory
    with pytest.raises(ConfigurationError, match=f"more than {MOST_BYTES // 2**20} MiB"):
        read_adjustments(path)


def test_of_many_bad_lines_the_first_are_named_and_the_rest_are_counted(tmp_path: Path) -> None:
    said = refusal(tmp_path / "adjustments.csv", (HEAD + "x,y,z,w\n" * 100_000).encode())
    assert "line 2: " in said
    assert "line 11: " in said
    assert "line 12: " not in said
    assert "and 99,990 more bad lines" in said
    columns = refusal(tmp_path / "adjustments.csv", ",".join(f"c{n}" * 100 for n in range(1000)).encode())
    assert "and 990 more" in columns


def test_lines_end_where_those_of_a_csv_end_and_notes_keep_their_letters(tmp_path: Path) -> None:
    notes = ["a\u2028b", "a\u2029b", "\U0001f4b8", 'a, "quoted" note']
    quoted = [note.replace('"', '""') for note in notes]
    path = tmp_path / "adjustments.csv"
    for end in ("\n", "\r\n", "\r"):
        lines = [HEAD.strip(), *(GOOD.strip().format(note=f'"{note}"') for note in quoted)]
        path.write_bytes("\ufeff".encode() + end.join(lines).encode())
        assert [line.note for line in read_adjustments(path)] == notes
        assert "line 6: " in refusal(path, end.join([*lines, "bad"]).encode())


@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters='"'), max_size=20)))
def test_every_line_is_one_adjustment_whatever_its_note_says(notes: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "adjustments.csv"
        path.write_text(HEAD + "".join(GOOD.format(note=f'"{note}"') for note in notes), encoding="utf-8", newline="")
        read = read_adjustments(path)
    assert [line.note for line in read] == [note.strip() or None for note in notes]
    assert {(line.trading_date, line.cash) for line in read} <= {(date(2025, 10, 30), Decimal("1.50"))}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD.format(note='"not closed') + GOOD.format(note="x"), "line 2: a quotation mark is not closed"),
        (GOOD.format(note='"from here\nto there"'), "line 2: a quoted text goes on in the next line"),
        (GOOD.format(note="x") + GOOD.format(note='"a"b'), "line 3: "),
        (GOOD.format(note="a\x00b"), "line 2: it has a control character"),
        (GOOD.format(note="a\x1b[2J"), "line 2: it has a control character"),
        (GOOD.format(note="x,one,too,many"), "line 2: (no column)"),
        ("\ud800", "save it as UTF-8"),
    ],
)
def test_what_would_swallow_or_cut_lines_is_refused_by_the_line(line: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(tmp_path / "adjustments.csv", (HEAD + line).encode("utf-8", "surrogatepass"))


def test_a_column_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    assert "names cash twice" in refusal(tmp_path / "adjustments.csv", (HEAD.strip() + ",cash\n").encode())


def test_a_working_folder_that_leads_elsewhere_is_refused_and_what_is_there_stays(
    settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine.txt").write_text("mine")
    settings.working.symlink_to(tmp_path / "elsewhere")
    assert main(["build"]) == 2
    assert "working is a link" in sentence(capfd)
    assert (tmp_path / "elsewhere" / "mine.txt").read_text() == "mine"
    settings.working.unlink()
    settings.working.touch()
    assert main(["build"]) == 2
    assert "working can't be made" in sentence(capfd)


@pytest.mark.parametrize("name", ["archive", "dlt", "reports", "backups"])
@pytest.mark.parametrize("put", [pipe, link_to_nothing, link_to_itself], ids=lambda put: put.__name__)
def test_a_folder_of_the_home_that_is_none_is_a_sentence(
    name: str, put: Callable[[Path], None], settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    (settings.home / name).rename(settings.home / "aside")
    put(settings.home / name)
    assert main(["build"]) == 2
    assert "can't be written" in sentence(capfd)


def test_a_folder_of_the_home_that_is_elsewhere_by_a_link_is_used_and_nothing_else_there_is_touched(
    settings: Settings, tmp_path: Path
) -> None:
    for name in ("archive", "backups", "reports"):
        (settings.home / name).rename(tmp_path / f"elsewhere-{name}")
        (settings.home / name).symlink_to(tmp_path / f"elsewhere-{name}")
        (tmp_path / f"elsewhere-{name}" / "mine.txt").write_text("mine")
    for command in (["build"], ["backup"], ["report", "--format", "csv"], ["verify"], ["status"]):
        assert main(command) == 0
    assert [path.read_text() for path in sorted(tmp_path.glob("elsewhere-*/mine.txt"))] == ["mine"] * 3


@pytest.mark.parametrize("name", ["warehouse.duckdb", "daybook.duckdb", "run.lock", "run.lock.holder.{process}.part"])
@pytest.mark.parametrize("put", [pipe, folder], ids=lambda put: put.__name__)
def test_a_file_of_ours_that_is_none_hangs_nothing(
    name: str, put: Callable[[Path], None], settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    path = settings.home / name.format(process=os.getpid())
    path.unlink(missing_ok=True)
    put(path)
    for command in (["build"], ["sql", "select 1"], ["status"], ["doctor"]):
        main(command)
        out, err = capfd.readouterr()
        assert "should not have happened" not in out + err
        assert "Traceback" not in err


@pytest.mark.parametrize("name", ["run.lock.holder", "alerts.log", "incidents.json", "restoring.json"])
@pytest.mark.parametrize("put", [pipe, folder, device], ids=lambda put: put.__name__)
def test_a_note_of_ours_that_is_none_hangs_nothing(
    name: str, put: Callable[[Path], None], settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    (settings.home / name).unlink(missing_ok=True)
    put(settings.home / name)
    for command in (["status"], ["doctor", "--dry-run"], ["sql", "select 1"]):
        main(command)
    send(settings, Alert("something", "do something"))
    out, err = capfd.readouterr()
    assert "should not have happened" not in out + err


def test_a_run_of_the_archive_that_is_no_file_hangs_nothing(settings: Settings) -> None:
    run = settings.archive / "2025-10" / "20251030T000000Z-00000000"
    run.mkdir()
    pipe(run / "run.json")
    assert any("run.json" in each.what for each in examine(settings))
    assert main(["status"]) == 0


def test_a_home_that_is_a_file_is_a_sentence_from_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("CLEAR_STREET_BASE_URL", NOBODY)
    for command in (["sync"], ["build"], ["sql", "select 1"], ["report"], ["backup"], ["replay"], ["compact"]):
        assert main(command) in (1, 2)
        assert str(tmp_path / "file") in sentence(capfd)
    assert main(["doctor"]) == 1
    assert main(["status"]) == 0
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("put", [pipe, folder, device], ids=lambda put: put.__name__)
def test_a_batch_that_is_no_file_is_a_sentence_and_nothing_is_sent(
    put: Callable[[Path], None], settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "batch.csv")
    command = ["instructions", "submit", "--account", "100", "--file", str(tmp_path / "batch.csv"), "--yes"]
    assert main(command) == 2
    assert "can't be read as a batch" in sentence(capfd)


def test_a_query_without_end_is_a_sentence(settings: Settings) -> None:
    with subprocess.Popen(["yes", "select 1;"], stdout=subprocess.PIPE) as endless:
        done = subprocess.run(
            [DAYBOOK, "sql", "-"], stdin=endless.stdout, env=environment(settings.home),
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        endless.kill()
    assert done.returncode == 2
    assert "that is not a query" in done.stderr


@pytest.mark.parametrize("content", [b"a: [", b"\0", b"[1]", b"word", b"\xff\xfe", None])
def test_a_dagster_yaml_that_can_not_be_read_is_a_sentence(content: bytes | None, settings: Settings) -> None:
    config = settings.dagster / "dagster.yaml"
    if content is None:
        pipe(config)
    else:
        config.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"dagster\.yaml can't be read") as caught:
        prepare_instance(settings)
    assert len(str(caught.value)) < WIDEST


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DAGSTER_HOME", "DAYBOOK_HOME", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "restored afterwards")
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


def test_whatever_a_command_writes_is_for_its_user_alone(settings: Settings, tmp_path: Path) -> None:
    commands = [["sql", "select 1 as x", "--format", form, "--output", str(tmp_path / f"out.{form}")]
                for form in ("table", "csv", "json", "parquet")]  # fmt: skip
    commands += [["report"], ["status"], ["doctor"], ["backup"], ["build"], ["compact"], ["verify"]]
    was = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    for command in commands:
        os.umask(0)  # the most careless of users
        assert main(command) == 0
    made = [path for path in tmp_path.rglob("*") if was.get(path) != path.lstat().st_mtime_ns]
    new = [path for path in made if path not in was]
    assert len(new) > 20
    assert [path for path in new if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's umask")
@pytest.mark.parametrize("command", [["sandbox", "--port", "0"], ["explore", "--headless", "--port", "0"]])
def test_what_serves_writes_for_its_user_alone(command: list[str], settings: Settings) -> None:
    command = [each if each != "0" or command[0] == "sandbox" else str(_free_port()) for each in command]
    with subprocess.Popen(
        [DAYBOOK, *command], env=environment(settings.home), umask=0, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 100
        while "Umask:\t0077" not in Path(f"/proc/{process.pid}/status").read_text():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()


def _free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def test_what_dagster_starts_writes_for_its_user_alone_whoever_started_it() -> None:
    code = "import os; os.umask(0); from dagster_project.definitions import defs; defs(); print(oct(os.umask(0)))"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0o77"
