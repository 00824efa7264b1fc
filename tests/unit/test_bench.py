"""What the benchmark says of two results, and of results that it can't use."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import compare
from bench.case import Case, Figure, Result
from bench.kept import NotAResult, keep, parse, read
from bench.report import document

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
