"""What the benchmark says of two results, and of results that it can't use."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import beside, compare
from bench.case import Case, Figure, Result
from bench.cases import CASES, case
from bench.endofday import bars, draw
from bench.report import document
from bench.result_files import NotAResult, keep, parse, read
from bench.traced import Trace
from bench.turns import ROUNDS, rounds, run_timed

MACHINE = {"cpus": "2", "cpu": "some", "memory": "4 GB", "python": "3.11.7"}


def _case(name: str, *figures: Figure) -> Case:
    def measure(folder: Path, quick: bool) -> Result:
        return {"folder": str(folder), "quick": quick}

    return Case(name, measure, lambda result: f"## {name}\n\n{result['rows']} rows.", lambda _: list(figures))


def _keep(folder: Path, name: str, *figures: Figure, **machine: str) -> Path:
    keep(_case(name, *figures), "2026-01-02 03:04 UTC", MACHINE | machine, {"rows": 7}, folder)
    return folder


def _verdicts(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    rows = capsys.readouterr().out.splitlines()[1:]
    return {row.split("  ")[0].strip(): row.split("  ")[-1].strip() for row in rows}


def test_what_is_timed_of_an_evening_is_there_to_be_timed() -> None:
    code = "from bench.traced import Trace, watch_all; watch_all(Trace())"
    watched = subprocess.run([sys.executable, "-c", code], cwd=beside.ROOT, capture_output=True, text=True, check=False)
    assert not watched.returncode, watched.stderr


def test_a_result_is_read_as_it_was_kept(tmp_path: Path) -> None:
    figure = Figure("daybook / floor", 1.5, 1.6, noise=1.2)
    _keep(tmp_path, "landing", figure)
    found = read("landing", tmp_path)
    assert (found.figures, found.machine, found.result) == ([figure], MACHINE, {"rows": 7})


def test_a_longer_time_is_slower_and_the_exit_code_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("daybook / floor", 1.5))
    now = _keep(tmp_path / "now", "landing", Figure("daybook / floor", 1.8))
    assert compare.main([str(then), str(now)]) == 1
    assert _verdicts(capsys) == {"landing: daybook / floor": "slower"}
    assert compare.main([str(now), str(then)]) == 0
    assert _verdicts(capsys) == {"landing: daybook / floor": "faster"}


def test_of_a_speed_less_is_slower(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("rest / daybook", 6.0, more_is_better=True))
    now = _keep(tmp_path / "now", "landing", Figure("rest / daybook", 4.0, more_is_better=True))
    assert compare.main([str(then), str(now)]) == 1
    assert compare.main([str(now), str(then)]) == 0
    assert "faster" in capsys.readouterr().out


def test_what_a_figure_is_known_to_vary_is_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("calm", 1.0), Figure("noisy", 1.0))
    now = _keep(tmp_path / "now", "landing", Figure("calm", 1.3), Figure("noisy", 1.3, noise=1.5))
    assert compare.main([str(then), str(now)]) == 1
    assert _verdicts(capsys) == {"landing: calm": "slower", "landing: noisy": "same"}


def test_figures_that_are_new_or_vanished_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("old", 1.0))
    now = _keep(tmp_path / "now", "landing", Figure("young", 1.0))
    assert compare.main([str(then), str(now)]) == 0
    assert _verdicts(capsys) == {"landing: young": "new", "landing: old": "vanished"}


def test_seconds_of_another_machine_are_not_judged_and_ratios_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("wall", 1.0, unit="s"), Figure("ratio", 1.0))
    now = _keep(tmp_path / "now", "landing", Figure("wall", 9.0, unit="s"), Figure("ratio", 1.0), cpu="another")
    assert compare.main([str(then), str(now)]) == 0
    assert _verdicts(capsys) == {"landing: wall": "of another machine", "landing: ratio": "same"}
    same = _keep(tmp_path / "same", "landing", Figure("wall", 9.0, unit="s"), Figure("ratio", 1.0))
    assert compare.main([str(then), str(same)]) == 1


def test_a_case_that_only_one_of_them_has_is_said_and_the_others_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("ratio", 1.0))
    now = _keep(tmp_path / "now", "landing", Figure("ratio", 1.0))
    _keep(now, "small", Figure("ratio", 1.0))
    assert compare.main([str(then), str(now)]) == 0
    assert "small is not compared: " in capsys.readouterr().err


def test_a_case_that_was_asked_for_has_to_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then = _keep(tmp_path / "then", "landing", Figure("ratio", 1.0))
    assert compare.main([str(then), str(then), "--only", "build"]) == 2
    assert capsys.readouterr().err == f"{then} has no result of build.\n"


def test_a_revision_is_read_as_it_was_committed(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", tmp_path, "-c", "user.name=n", "-c", "user.email=e@x", *words], check=True)

    _keep(tmp_path / "bench" / "results", "landing", Figure("ratio", 1.0))
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "measured")
    _keep(tmp_path / "bench" / "results", "landing", Figure("ratio", 2.0))
    then = compare.reader("HEAD", tmp_path)
    assert then("landing").figures == [Figure("ratio", 1.0)]
    with pytest.raises(NotAResult, match=r"^HEAD has no result of small\.$"):
        then("small")
    found = compare.lines(then, compare.reader(str(tmp_path / "bench" / "results")))
    assert [(line.ratio, line.verdict) for line in found] == [("2.00", "slower")]


def test_a_revision_that_nobody_knows_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main(["no-such-revision"]) == 2
    assert capsys.readouterr().err == (
        "no-such-revision is neither a folder of results nor a revision that git knows here.\n"
    )


def test_a_folder_without_results_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare.main([str(tmp_path), str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "There is nothing to compare: no case has a result in both."


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"figures": [{"height": 2}]}', '{"figures": 3}'])
def test_what_is_no_result_is_named(text: str) -> None:
    with pytest.raises(NotAResult, match=r"^landing\.json is not "):
        parse("landing", text)


def test_the_page_begins_with_every_target_and_says_which_is_met(tmp_path: Path) -> None:
    _keep(
        tmp_path,
        "landing",
        Figure("daybook / floor", 1.5, 1.6),
        Figure("rest / daybook", 3.0, 25, more_is_better=True),
        Figure("without a target", 3.0),
    )
    page = document([read("landing", tmp_path)], ["## landing\n\n7 rows."])
    assert "| landing: daybook / floor | 1.50 x | at most 1.60 x | yes |" in page
    assert "| landing: rest / daybook | 3.00 x | at least 25.0 x | **no** |" in page
    assert "without a target" not in page
    assert page.index("## Targets") < page.index("## landing") < page.index("Measured 2026-01-02 03:04 UTC: cpus 2")


def test_a_process_that_fails_is_named_with_its_last_words() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: so it was"):
        run_timed([sys.executable, "-c", "import sys; print('so it was', file=sys.stderr); sys.exit(3)"])


def test_what_a_process_took_includes_its_children() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    run, said = run_timed(
        [
            sys.executable,
            "-c",
            f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}]); print('done')",
        ]
    )
    assert said == "done\n"
    assert run["wall"] > 0.3
    assert run["cpu"] > 0.3


def test_rounds_are_as_asked_for_and_else_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ROUNDS, raising=False)
    assert rounds(5) == 5
    monkeypatch.setenv(ROUNDS, "2")
    assert rounds(5) == 2


EVENING: Result = {
    "accounts": 2,
    "positions": 1_000,
    "eod": {"wall": 10.0, "cpu": 9.0},
    "steps": {"sync": 4.0, "build <all>": 3.0},
    "parts": {"sync": {"read": 2.5, "a moment": 0.01, "load": 1.0}, "build <all>": {}},
}


def test_an_evening_is_told_in_bars_that_follow_each_other_up_to_its_end() -> None:
    told = [(bar.name, bar.began, bar.seconds, bar.is_part) for bar in bars(EVENING)]
    assert told == [
        ("sync", 0.0, 4.0, False),
        ("read", 0.0, 2.5, True),
        ("load", 2.5, 1.0, True),
        ("the rest", 3.5, 0.5, True),
        ("build <all>", 4.0, 3.0, False),
        ("what Dagster adds", 7.0, 3.0, False),
    ]


def test_the_picture_is_well_formed_and_its_words_are_text() -> None:
    drawn = ElementTree.fromstring(draw(EVENING))  # noqa: S314  (our own)
    space = "{http://www.w3.org/2000/svg}"
    words = [each.text for each in drawn.iter(f"{space}text")]
    assert {"One evening: 2 accounts x 1,000 positions, 10.0 s", "sync", "build <all>", "2.50", "10 s"} <= set(words)
    wide = [float(each.attrib["width"]) for each in drawn.iter(f"{space}rect")]
    assert wide[4] / wide[0] == pytest.approx(3 / 4, abs=0.01)


def test_a_trace_counts_what_is_called_within_a_part_once() -> None:
    trace = Trace()
    inner = trace.timed("inner", lambda: time.sleep(0.02))
    outer = trace.timed("outer", lambda: inner())
    by_table = trace.timed(None, lambda _con, _table: None)
    with trace.step("build"):
        outer()
        by_table("con", "pnl.period")
    assert list(trace.parts["build"]) == ["outer", "pnl.period"]
    assert trace.steps["build"] >= trace.parts["build"]["outer"] >= 0.02


@pytest.mark.parametrize("name", CASES)
def test_every_case_goes_by_its_name(name: str) -> None:
    assert case(name).name == name


def test_a_command_is_slower_where_its_fastest_round_takes_longer_than_the_slowest_took() -> None:
    slower = beside.Compared("daybook sync", before=[1.0, 1.1], now=[1.2, 1.4])
    assert (slower.verdict, round(slower.ratio, 2), round(slower.noise, 2)) == ("slower", 1.24, 1.17)
    assert beside.Compared("daybook sync", before=[1.2, 1.4], now=[1.0, 1.1]).verdict == "faster"
    assert beside.Compared("daybook sync", before=[1.0, 1.3], now=[1.2, 1.4]).verdict == "same"
    assert beside.Compared("daybook sync", before=[1.0, 1.0], now=[1.01, 1.01]).verdict == "same"
    once = beside.Compared("daybook sync", before=[1.0], now=[1.1])  # one round may be that much off by itself
    assert (once.verdict, once.noise) == ("same", beside.ONE_ROUND)
    assert beside.Compared("daybook sync", before=[1.0], now=[1.2]).verdict == "slower"


def test_a_revision_is_checked_out_beside_this_one_and_gone_afterwards(tmp_path: Path) -> None:
    for words in (
        ("init", "--quiet"),
        ("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "-m", "one"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    with beside.checked_out("HEAD", tmp_path) as tree:
        assert (tree / ".git").is_file()
    assert not tree.exists()
    listed = subprocess.run(
        ["git", "-C", str(tmp_path), "worktree", "list"], capture_output=True, text=True, check=True
    )
    assert len(listed.stdout.splitlines()) == 1


def test_a_revision_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert beside.main("no-such-revision") == 2
    assert capsys.readouterr().err.startswith("no-such-revision can't be checked out here (")
