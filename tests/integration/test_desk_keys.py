"""Two desks, two keys: each request of an account is made with its own, and none of them is ever seen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError
from pipelines.ingest.replay import replay
from pipelines.ingest.snapshot import Snapshot, take_snapshot
from pipelines.settings import Settings, without_secrets
from pipelines.warehouse.session import warehouse_session
from tests.support.broker_server import BrokerServer, Fault, position

RATES, EQUITIES = "rates-key-0123456789abcdef", "equities-key-0123456789abcdef"
MINE, THEIRS = "100001", "100002"
FILE = f"""
[desks.rates]
key = "RATES_KEY"
accounts = ["{MINE}"]

[accounts]
{THEIRS} = "EQUITIES_KEY"
"""
KEYS = {"RATES_KEY": RATES, "EQUITIES_KEY": EQUITIES}
ASKED = ("/v1/clock", "/v1/calendars/market-hours", "/v1/instruments/events")


def written(folder: Path, text: str = FILE, mode: int = 0o600) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def broker(keys: dict[str, list[str]] | None = None) -> BrokerServer:
    return BrokerServer(
        accounts=[MINE, THEIRS],
        positions={MINE: [position(MINE, 1)], THEIRS: [position(THEIRS, 2)]},
        instructions={},
        keys=keys or {RATES: [MINE], EQUITIES: [THEIRS]},
        now=datetime(2025, 10, 31, 20, 20, tzinfo=UTC),
    )


def settings_of(server: BrokerServer, home: Path, **environ: str) -> Settings:
    named = {"CLEAR_STREET_BASE_URL": server.url, "DAYBOOK_HOME": str(home), "DAYBOOK_KEYS": str(home / "keys.toml")}
    return Settings.from_env(named | KEYS | environ)


def snapshot(settings: Settings) -> Snapshot:
    with warehouse_session(settings) as con:
        return take_snapshot(con, settings)


def test_each_account_is_asked_for_with_its_own_key_and_the_lists_of_both_are_read(tmp_path: Path) -> None:
    written(tmp_path)
    server = broker()
    server.faults = [Fault("balances", account_id=THEIRS, times=None, status=403, body={"said": EQUITIES})]
    with server:
        settings = settings_of(server, tmp_path)
        read = snapshot(settings)
    assert (read.accounts_expected, read.is_complete) == (2, True)
    sent = {(request.path, request.headers["authorization"].removeprefix("Bearer ")) for request in server.requests}
    assert {key for path, key in sent if MINE in path} == {RATES}
    assert {key for path, key in sent if THEIRS in path} == {EQUITIES}
    assert {key for path, key in sent if path == "/v1/accounts"} == {RATES, EQUITIES}
    assert {key for path, key in sent if path in ASKED} == {RATES}  # of no account: the first desk's
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != "keys.toml")
    assert RATES.encode() not in kept
    assert EQUITIES.encode() not in kept
    assert settings.keys == (RATES, EQUITIES)

    again = settings.model_copy(update={"home": tmp_path / "again"})
    with warehouse_session(again) as con:
        assert replay(con, again, archive=settings.archive).damaged == []
        assert con.execute("select account_id from raw.accounts order by all").fetchall() == [(MINE,), (THEIRS,)]


def test_a_key_that_is_refused_takes_its_own_accounts_away_and_no_others(tmp_path: Path) -> None:
    written(tmp_path)
    with broker({RATES: [MINE]}) as server:
        settings = settings_of(server, tmp_path)
        read = snapshot(settings)
    assert (read.accounts_expected, read.accounts_complete) == (2, 1)
    assert any("401" in problem and "EQUITIES_KEY" in problem and THEIRS in problem for problem in read.problems)
    again = settings.model_copy(update={"home": tmp_path / "again"})
    rows = "select * exclude (_dlt_load_id) from raw.extract_manifest order by all"
    with warehouse_session(settings) as con:
        landed = con.execute(rows).fetchall()
    with warehouse_session(again) as con:
        assert replay(con, again, archive=settings.archive).damaged == []
        assert con.execute(rows).fetchall() == landed


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        (FILE, 0o640, r"may be read by others \(mode 0640\): `chmod 600 "),
        (FILE.replace("RATES_KEY", "NOWHERE"), 0o600, "names NOWHERE, which is not set"),
        (FILE + f'{MINE} = "EQUITIES_KEY"\n', 0o600, f"gives account {MINE} two keys, of RATES_KEY and of EQUITIES"),
        (FILE.replace(MINE, "mine"), 0o600, "'mine' is not an account id"),
        (FILE.replace("RATES_KEY", RATES), 0o600, "a key is the name of a variable of the environment, never the key"),
        (FILE.replace("accounts =", "acounts ="), 0o600, "desk rates has not just a key and a list of accounts"),
        ("[desk.rates]\n", 0o600, "it has desk"),
        ("no toml", 0o600, "can't be understood"),
    ],
)
def test_a_file_of_keys_that_cant_be_used_is_refused_in_one_sentence(
    tmp_path: Path, text: str, mode: int, sentence: str
) -> None:
    path = written(tmp_path, text, mode)
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        Settings.from_env({"DAYBOOK_KEYS": str(path), **KEYS})
    assert RATES not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_and_a_key_that_is_none_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        Settings.from_env({"DAYBOOK_KEYS": str(tmp_path / "none")})
    with pytest.raises(ConfigurationError, match="RATES_KEY has a space"):
        Settings.from_env({"DAYBOOK_KEYS": str(written(tmp_path)), **KEYS, "RATES_KEY": "two words"})


def test_what_only_reads_the_books_is_not_given_the_desks_keys(tmp_path: Path) -> None:
    environ = {"DAYBOOK_KEYS": str(written(tmp_path)), **KEYS, "PATH": "/bin"}
    assert without_secrets(environ) == {"DAYBOOK_KEYS": environ["DAYBOOK_KEYS"], "PATH": "/bin"}
