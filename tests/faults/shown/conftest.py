"""A desk whose books a test changes while a trade is being decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import KEY
from tests.support.shown import Books
from tests.support.trading_desk import TradingDesk, trading_desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingDesk]:
    with trading_desk(tmp_path / "home") as desk:
        Books().put(desk.broker)
        monkeypatch.setenv("DAYBOOK_HOME", str(desk.settings.home))
        monkeypatch.setenv("CLEAR_STREET_BASE_URL", desk.recorder.url)
        monkeypatch.setenv("CLEAR_STREET_API_KEY", KEY)
        yield desk
