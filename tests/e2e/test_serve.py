"""`daybook serve` outlives the end of each of its processes, and closes an evening that a reboot has cut short."""

from __future__ import annotations

import os
import signal
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from dagster_project.health import RUNNING, ServiceHealth, read_service
from pipelines.settings import Settings
from tests.faults.test_loopback import family_of, listening, outside
from tests.support.broker_server import Fault
from tests.support.command_line import ask, daybook, environment
from tests.support.dagster_ui import Dev, daybook_dev, wait_for
from tests.support.desk import FRIDAY
from tests.support.fault_books import broker

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="this machine doesn't list its processes"),
]
PROGRAMS = ("code server", "daemon", "web pages")
FRIDAYS = [{"key": "dagster/partition", "value": "2025-10-31"}]


def test_what_ends_is_started_again_and_a_reboot_closes_the_evening(tmp_path: Path) -> None:
    home, held = tmp_path / "home", threading.Event()
    with broker(FRIDAY) as server:
        with daybook_dev(environment(home, server.url), tmp_path / "first.log", "serve") as service:
            well = _until_well(home)
            _one_service_for_one_home(service, home, server.url)
            for name in ("daemon", "web pages", "code server"):
                _killed_and_started_again(service, home, name)
            _hangs_and_says_so(home, ("web pages", "code server"))
            assert outside(listening(family_of(service.process.pid))) == set()
            server.faults = [Fault("positions", then=lambda _: _wait(held))]
            run = service.launch("end_of_day", FRIDAYS)
            wait_for(lambda: [each for each in server.requests if each.path.endswith("/positions")] or None, 60)
            _kill(family_of(service.process.pid))
            service.process.wait(30)
        held.set()
        told = daybook("serve", "--check", home=home)
        assert (told.code, f"process {well.pid} is gone" in told.sentence) == (1, True)
        with daybook_dev(environment(home, server.url), tmp_path / "second.log", "serve") as service:
            assert service.end_of(run) == "FAILURE"
            again = wait_for(lambda: service.last_run() if service.last_run() != run else None, 60)
            assert service.end_of(again) == "SUCCESS"
            family = family_of(service.process.pid)
            os.kill(service.process.pid, signal.SIGKILL)
            service.process.wait(30)
            wait_for(lambda: not [each for each in family if _is_there(each)] or None, 90)
    assert ask(home / "daybook.duckdb", "select trading_date::varchar, status from quality.day") == [
        ("2025-10-31", "COMPLETE")
    ]
    for log in (tmp_path / "first.log", tmp_path / "second.log"):
        assert "Deprecat" not in log.read_text()


def _one_service_for_one_home(service: Dev, home: Path, url: str) -> None:
    told = daybook("serve", "--check", home=home)
    assert (told.code, told.err) == (0, "")
    assert f"The service is well: process {service.process.pid}, {service.url}" in told.out
    for command in ("serve", "dev"):
        second = daybook(command, "--port", "1", home=home, url=url)
        assert second.code == 2
        assert f"served already, by `daybook serve` (process {service.process.pid}, {service.url})" in second.sentence
    assert "Service: `daybook serve` is well" in daybook("status", home=home).out


def _killed_and_started_again(service: Dev, home: Path, name: str) -> None:
    before = {each.name: each for each in _until_well(home).programs}
    os.kill(before[name].pid or 0, signal.SIGKILL)

    def again() -> ServiceHealth | None:
        found = read_service(Settings(home=home))
        (one,) = [each for each in (found.programs if found else []) if each.name == name]
        return found if one.restarts == before[name].restarts + 1 and one.state == RUNNING else None

    after = {each.name: each for each in wait_for(again, 90).programs}
    assert after[name].pid != before[name].pid
    others = [each for each in PROGRAMS if each != name]
    assert [after[each].pid for each in others] == [before[each].pid for each in others]
    wait_for(lambda: _has_the_job(service) or None, 90)


def _hangs_and_says_so(home: Path, names: tuple[str, ...]) -> None:
    """A program that is there and does nothing is no program that is well; the keeper's own test has what follows."""
    stopped = [each.pid or 0 for each in _until_well(home).programs if each.name in names]
    try:
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        wait_for(lambda: _not_answering(home) == set(names) or None, 60)
    finally:
        for each in stopped:
            os.kill(each, signal.SIGCONT)
    assert [each.pid for each in _until_well(home).programs if each.name in names] == stopped


def _not_answering(home: Path) -> set[str]:
    found = read_service(Settings(home=home))
    return {each.name for each in (found.programs if found else []) if each.state == "NOT ANSWERING"}


def _has_the_job(service: Dev) -> bool:
    """Whether the web pages have the definitions of the code server that runs now."""
    try:
        return "end_of_day" in service.jobs()
    except (KeyError, httpx.TransportError):
        return False


def _until_well(home: Path) -> ServiceHealth:
    def well() -> ServiceHealth | None:
        found = read_service(Settings(home=home))
        return found if found and not found.problems(datetime.now().astimezone()) else None

    return wait_for(well, 120)


def _wait(held: threading.Event) -> None:
    held.wait(60)


def _kill(processes: set[int]) -> None:
    for each in processes:
        os.kill(each, signal.SIGKILL)


def _is_there(process: int) -> bool:
    """Whether a process runs; one that has ended and was not asked for yet has no command line."""
    path = Path(f"/proc/{process}/cmdline")
    return path.exists() and bool(path.read_bytes())


def test_without_a_key_nothing_is_started(tmp_path: Path) -> None:
    ended = daybook("serve", home=tmp_path / "home")
    assert ended.code == 2
    assert "CLEAR_STREET_API_KEY is not set" in ended.sentence
    assert not (tmp_path / "home").exists()


class Clock:
    """Seconds that a test counts."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_pause_before_a_program_is_started_again_doubles_up_to_a_minute_and_shrinks_once_it_lasts() -> None:
    from dagster_project.keeper import Keeper
    from dagster_project.processes import Program

    codes: dict[str, int | None] = {}
    started: list[str] = []
    clock = Clock()

    class Ending:
        """Processes, each of which ends when the test says so."""

        def start(self, program: Program) -> int:
            started.append(program.name)
            codes[program.name] = None
            return len(started)

        def ended(self, name: str) -> Any:
            return codes[name]

    answers = {"first": True, "second": True}
    programs = [(Program(name, (), {}), lambda name=name: answers[name]) for name in answers]
    keeper = Keeper(Ending(), programs, clock)  # type: ignore[arg-type]
    assert keeper.look() == []
    assert started == ["first", "second"]
    pauses = []
    for _ in range(9):
        codes["second"] = 1
        (said,) = keeper.look()
        assert keeper.health[1].state == "RESTARTING"
        begun = clock.now
        while not keeper.look():
            clock.now += 0.5
        pauses.append(clock.now - begun)
        assert f"started again in {pauses[-1]:g} s" in said
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    clock.now += 120
    codes["second"] = 1
    assert "in 1 s" in keeper.look()[0]
    answers["first"] = False  # nothing else is started while the code server does not answer
    clock.now += 5
    assert keeper.look() == []
    answers["first"] = True
    assert keeper.look() == ["Dagster's second was started again."]
    keeper.ask()
    answers["second"] = False
    keeper.ask()
    assert [each.state for each in keeper.health] == ["RUNNING", "NOT ANSWERING"]


def test_a_program_that_hangs_is_killed_and_started_again_and_one_of_which_nobody_can_tell_is_not(
    tmp_path: Path,
) -> None:
    """A real process, stopped so that a signal to end would never reach it; the minutes are the test's."""
    from dagster_project.keeper import HANGS, Keeper
    from dagster_project.processes import Processes, Program

    clock = Clock()
    answer: dict[str, bool | None] = {"one": True}
    program = Program("one", ("http.server", "--bind", "127.0.0.1", "0"), dict(os.environ))
    with Processes(tmp_path, tmp_path) as processes:
        keeper = Keeper(processes, [(program, lambda: answer["one"])], clock)
        keeper.look()
        keeper.ask()
        first = keeper.health[0].pid or 0
        os.kill(first, signal.SIGSTOP)
        for nothing in (None, False):
            answer["one"] = nothing
            clock.now += HANGS - 1
            keeper.ask()
            assert (keeper.health[0].state, keeper.look()) == ("NOT ANSWERING", [])
        clock.now += 2
        keeper.ask()
        said = wait_for(lambda: keeper.look() or None, 10)
        assert said == [
            "Dagster's one: it did not answer for 300 s and was killed, code -9; it is started again in 1 s."
        ]
        clock.now += 2
        assert keeper.look() == ["Dagster's one was started again."]
        assert keeper.health[0].pid not in (None, first)
