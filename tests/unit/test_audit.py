"""The audit of dependencies: a known vulnerability fails it, and what was not audited is never called clean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.tools.audit import Broken, known, read_report, verdict

BAD = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"]}]}
CLEAN = {"name": "httpx", "version": "0.28.1", "vulns": []}
UNKNOWN = {"name": "httpx", "skip_reason": "Dependency not found and could not be audited: httpx (0.28.1)"}


def report(*packages: dict[str, Any]) -> list[dict[str, Any]]:
    found = read_report(json.dumps({"dependencies": packages, "fixes": []}), "")
    assert found is not None
    return found


def test_a_known_vulnerability_fails_the_audit_and_is_named_with_its_cure() -> None:
    ours = {**BAD, "version": "3.1.0"}
    code, said = verdict(report(BAD), report(CLEAN, ours, ours))
    assert code == 1
    assert said == [
        "jinja2 3.1.0: PYSEC-2014-8, fixed in 2.7.2",
        "2 packages audited, 1 known vulnerabilities.",
    ]


def test_packages_without_advisories_pass() -> None:
    assert verdict(report(BAD), report(CLEAN)) == (0, ["1 packages audited, 0 known vulnerabilities."])


def test_an_index_that_knows_nothing_against_a_bad_version_has_audited_nothing() -> None:
    for probe in (report({**BAD, "vulns": []}), report(UNKNOWN)):
        code, (said,) = verdict(probe, report(CLEAN))
        assert code == 0
        assert said.startswith("skipped: no index reachable")


def test_where_nobody_answers_the_audit_is_skipped_and_says_so() -> None:
    silence = read_report("", "requests.exceptions.ConnectionError: Max retries exceeded with url")
    assert silence is None
    assert verdict(silence, []) == (0, ["skipped: no index reachable."])


def test_an_audit_that_breaks_for_another_reason_is_no_pass() -> None:
    with pytest.raises(Broken, match="could not parse"):
        read_report("", "ERROR: could not parse the file")


def test_packages_that_the_index_does_not_know_are_named_and_all_of_them_unknown_is_no_pass() -> None:
    assert verdict(report(BAD), report(CLEAN, {**UNKNOWN, "name": "ours"}))[1][0] == (
        "ours: not known to the index, so not audited"
    )
    assert verdict(report(BAD), report(UNKNOWN))[0] == 1
    assert known(report(UNKNOWN)) == []
