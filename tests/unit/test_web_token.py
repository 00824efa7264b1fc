"""The token of Dagster's UI: one file, made once, for one user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dagster_project.web.token import cookie_for, is_cookie, is_token, token_of
from pipelines.errors import ConfigurationError


def test_it_is_made_once_for_its_owner_alone_and_stays_the_same(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        token = token_of(tmp_path / "ui-token")
    finally:
        os.umask(before)
    assert len(token) == 43
    assert stat.S_IMODE((tmp_path / "ui-token").stat().st_mode) == 0o600
    assert token_of(tmp_path / "ui-token") == token
    assert token_of(tmp_path / "another") != token
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "ui-token"]


def test_two_starts_at_once_have_the_same_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as unaware:
        unaware.setattr("os.path.lexists", lambda _: False)  # each start has found no token
        first, second = token_of(tmp_path / "ui-token"), token_of(tmp_path / "ui-token")
    assert first == second == token_of(tmp_path / "ui-token")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620, 0o602])
def test_one_that_others_may_read_or_write_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ui-token"
    token = token_of(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="remove the file") as caught:
        token_of(path)
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"a" * 42, b"a" * 42 + b" ", b"\xff" * 50, "é".encode() * 43, b"a\n" * 43]
)
def test_a_file_that_holds_no_token_is_one_sentence_that_quotes_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ui-token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="holds no token"):
        token_of(path)


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    token_of(tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", "nowhere", "folder", "pipe", "no/folder"):
        with pytest.raises(ConfigurationError, match="remove"):
            token_of(tmp_path / name)
    assert not (tmp_path / "missing").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_one_that_another_user_made_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "ui-token"
    token_of(path)
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigurationError, match="another user"):
        token_of(path)


def test_a_cookie_is_good_for_its_token_and_its_time_alone() -> None:
    cookie = cookie_for("a" * 43, 100)
    assert is_cookie(cookie, "a" * 43, 101)
    assert not is_cookie(cookie, "b" * 43, 101)
    assert not is_cookie(cookie, "a" * 43, 101, "1000")
    assert is_cookie(cookie_for("a" * 43, 100, "1000"), "a" * 43, 101, "1000")
    assert not is_cookie(cookie, "a" * 43, 1e9)
    for other in ("", ".", "a.b", "\ud800", cookie.replace("6", "7"), cookie + ".", "é" * 50, f"{10**400}.{'0' * 64}"):
        assert not is_cookie(other, "a" * 43, 101)
    assert is_token("a" * 43, "a" * 43)
    for said in ("", "a" * 42, "a" * 44, "é", "\ud800"):
        assert not is_token(said, "a" * 43)
