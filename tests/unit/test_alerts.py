"""Alerts: one sentence, the day, what to do; delivered wherever that can be done, and never in the way."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from pipelines.alerts import alert as alerts
from pipelines.alerts.alert import Alert, send
from pipelines.settings import Settings

ALERT = Alert(
    "1 of 2 accounts are whole.",
    "Run `daybook eod` again.",
    date(2025, 10, 31),
    "20251031T203000Z-1",
    datetime(2025, 10, 31, 20, 31, tzinfo=UTC),
)


def test_an_alert_is_a_line_of_json_in_the_home_and_an_error_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(home=tmp_path)
    send(settings, ALERT)
    send(settings, Alert("Two\nlines.", "Nothing."))
    first, second = (json.loads(line) for line in (tmp_path / "alerts.log").read_text().splitlines())
    assert first == {
        "sentence": "1 of 2 accounts are whole.",
        "todo": "Run `daybook eod` again.",
        "trading_date": "2025-10-31",
        "run": "20251031T203000Z-1",
        "at": "2025-10-31 20:31:00+00:00",
        "kind": "OTHER",
        "link": None,
    }
    assert (second["sentence"], second["trading_date"]) == ("Two\nlines.", None)
    assert caplog.records[0].levelno == logging.ERROR
    assert caplog.messages[0] == "2025-10-31: 1 of 2 accounts are whole. Run `daybook eod` again."


def test_a_channel_that_fails_stops_neither_the_others_nor_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Settings, __: Alert) -> None:
        raise OSError("no way out")

    monkeypatch.setattr(alerts, "CHANNELS", (broken, *alerts.CHANNELS))
    send(Settings(home=tmp_path), ALERT)
    assert "the alert could not be delivered by broken" in caplog.messages
    assert len((tmp_path / "alerts.log").read_text().splitlines()) == 1


def test_an_alert_from_a_home_that_is_not_there_is_still_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    send(Settings(home=tmp_path / "nowhere"), ALERT)
    assert str(ALERT) in caplog.messages


def test_the_log_of_alerts_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "FULL", 1000)
    settings = Settings(home=tmp_path)
    for number in range(60):
        send(settings, Alert(f"Alert {number}.", "Nothing."))
    logs = [tmp_path / f"alerts.log{suffix}" for suffix in ("", ".1", ".2", ".3", ".4")]
    assert sorted(tmp_path.glob("alerts.log*")) == logs
    told = [json.loads(line)["sentence"] for log in reversed(logs) for line in log.read_text().splitlines()]
    assert told == [f"Alert {number}." for number in range(60 - len(told), 60)]
    assert all(log.stat().st_size < 1500 for log in logs)
