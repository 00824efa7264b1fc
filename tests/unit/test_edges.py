"""What single functions that prove, land and send say at their edges."""

from __future__ import annotations

import os
import resource
import sys
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from models.reading import read_page
from models.shapes import POSITIONS
from pipelines.archive.write import Archive
from pipelines.broker.columns import to_batch
from pipelines.broker.proof import NAMED, Pass
from pipelines.broker.read import ClockReading, Read, ReceivedReply
from pipelines.errors import BuildFailed, ConfigurationError, LockedOut
from pipelines.ingest.landing import TABLES
from pipelines.ingest.reading import EndpointRead
from pipelines.ingest.snapshot import Snapshot, _doubted_clock, _manifest_row
from pipelines.settings import Settings
from pipelines.trading.batch import read_batch
from pipelines.trading.changes import MOST_NAMED, _joined
from pipelines.trading.held import find_position, instrument_id_of
from pipelines.trading.journal import Journal, new_record
from pipelines.trading.requests import close_position
from pipelines.trading.send import refuse_other_accounts
from pipelines.warehouse.dlt_pipeline import root_cause
from pipelines.warehouse.publish import publish
from pipelines.warehouse.restoring import JOURNAL as RESTORING
from pipelines.warehouse.tables import _all_there, add_versions

UUID = "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e01"
OTHER = "0195f6d0-a1b2-7c3d-8e4f-5a6b7c8d9e02"
NOW = datetime(2026, 11, 2, 22, tzinfo=UTC)


def a_pass() -> Pass:
    return Pass(POSITIONS, "19816", to_batch, NOW)


@pytest.mark.parametrize(("counted", "found"), [(None, []), (0, []), (2, [("rows_lost", "FAIL", "0")])])
def test_a_listing_is_whole_where_as_many_rows_came_as_the_broker_counts(
    counted: int | None, found: list[tuple[str, str, str]]
) -> None:
    read = a_pass()
    read.finish(counted)
    assert [(each.check_name, each.severity, each.value) for each in read.findings] == found


def test_numbers_instead_of_text_are_counted_by_their_field() -> None:
    read = a_pass()
    read.take(
        read_page(POSITIONS, b'{"data":[{"account_id":19816,"instrument_id":"x","quantity":1}],"metadata":{}}'),
        last=True,
    )
    assert list(read.numbers) == ["quantity"]


def test_of_very_many_unknown_fields_the_first_are_named_and_the_rest_counted() -> None:
    read = a_pass()
    read.observed.unknown_fields.update(Counter(f"field {number}" for number in range(NAMED + 2)))
    read.finish(None)
    assert len(read.findings) == NAMED + 1
    assert read.findings[-1].message.startswith("2 more fields of positions are not documented")


def test_the_columns_of_a_key_are_never_null() -> None:
    nullable = [
        f"{name}.{column}"
        for name, (key, table) in TABLES.items()
        for column in key
        if table.schema.field(column).nullable
    ]
    assert nullable == []


def test_what_was_read_failed_and_was_never_asked_are_three_facts_and_a_doubted_clock_a_fourth() -> None:
    run: Any = SimpleNamespace(began=SimpleNamespace(run_id="r"), doubts=[], files={})
    reads = [
        Read("balances", pages=1, complete=True),
        Read("balances", http_status=403),
        Read("balances", error="no time left"),
    ]
    rows = [_manifest_row(run, EndpointRead(read)) for read in [*reads, Read("balances")]]
    assert [row["status"] for row in rows] == ["COMPLETE", "FAILED", "FAILED", "NOT_ASKED"]
    assert _doubted_clock(run) == []
    (told,) = _doubted_clock(SimpleNamespace(doubts=["it is of 1999"]))  # type: ignore[arg-type]
    assert (told.read.error, [each.check_name for each in told.read.findings]) == (
        "it is of 1999",
        ["clock_not_believed"],
    )


@pytest.mark.parametrize(
    ("grade", "whether"), [("POST_CLOSE", True), ("LATE", True), ("INTRADAY", False), ("PRE_OPEN", False)]
)
def test_a_snapshot_after_the_close_may_stand_for_the_day(grade: str, *, whether: bool) -> None:
    assert Snapshot("r", date(2026, 11, 2), grade, NOW, 1, 1).is_end_of_day is whether  # type: ignore[arg-type]


def test_the_first_line_of_the_error_at_the_bottom_is_the_reason() -> None:
    bottom, middle, top = ValueError("\n why \n more"), RuntimeError("in between"), KeyError("where")
    middle.__cause__, top.__cause__ = bottom, middle
    assert [root_cause(each) for each in (top, bottom, ValueError(), None)] == ["why", "why", "ValueError", "NoneType"]


def test_a_daybook_that_is_kept_to_some_accounts_trades_in_no_other() -> None:
    kept, any_account = Settings(accounts=("100001",)), Settings()
    refuse_other_accounts(kept, "100001")
    refuse_other_accounts(any_account, "100002")
    with pytest.raises(ConfigurationError, match="leaves account 100002 out"):
        refuse_other_accounts(kept, "100002")


def test_a_position_is_found_by_a_name_that_means_it_alone() -> None:
    held = [{"instrument_id": UUID, "symbol": "X", "quantity": "1", "instrument_type": "OPTION"}]
    assert [find_position(held, name) for name in (UUID, UUID.upper(), "X")] == held * 3
    assert [instrument_id_of(held, name) for name in (UUID, "X", OTHER)] == [UUID, UUID, OTHER]
    with pytest.raises(ConfigurationError, match="holds no position in 'Y'"):
        find_position(held, "Y")


def test_what_has_changed_is_named_as_far_as_it_goes_and_the_rest_counted() -> None:
    found = [f"line {number}" for number in range(MOST_NAMED + 3)]
    assert _joined(found) == "; ".join(found[:MOST_NAMED]) + "; and 3 more"
    assert _joined(found[:MOST_NAMED]) == "; ".join(found[:MOST_NAMED])


def test_what_is_no_uuid_closes_nothing() -> None:
    with pytest.raises(ConfigurationError, match=r"The id of X, '\.\.', is no UUID"):
        close_position("19816", "..", symbol="X")


@pytest.mark.parametrize(
    ("text", "why"), [("[1]", "not an object"), ('[{"quantity": "1"}]', "instruction_type is missing")]
)
def test_a_batch_that_is_no_list_of_whole_instructions_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "batch.json").write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        read_batch(tmp_path / "batch.json")


def test_a_record_tells_the_brokers_time_and_a_restore_keeps_the_journal_shut(tmp_path: Path) -> None:
    settings = Settings(base_url="http://127.0.0.1:1", home=tmp_path)
    clock = ClockReading(NOW, "API", timedelta(hours=1))
    record = new_record(settings, close_position("19816", UUID), clock, "r", "test", [])
    assert timedelta(minutes=59) < record.now - datetime.now(UTC) <= timedelta(hours=1)
    (tmp_path / RESTORING).mkdir()
    with pytest.raises(LockedOut, match="A restore of these books is going on"):
        Journal(settings)._refuse_restore()


def test_rows_that_were_written_and_are_not_there_end_a_build() -> None:
    _all_there("core.run", 2, 2)
    with pytest.raises(BuildFailed, match=r"2 rows were written to core\.run and 1 are there"):
        _all_there("core.run", 2, 1)


def test_a_row_that_is_new_and_one_that_is_gone_are_two_changes() -> None:
    columns = "account_id, trading_date, pnl, inputs_known_at"
    told = f"select * from (values ('{{}}', '2026-11-02'::date, 1, '2026-11-02'::timestamptz)) as told({columns})"
    values = {"from_date": date(2026, 11, 1), "to_date": date(2026, 11, 3), "built_at": NOW}
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute("create schema core; create schema pnl")
        con.execute("create table core.period_lock (account_id varchar, locked_through date, locked_at timestamptz)")
        changed = []
        for row in ("A", "B", "B"):
            con.execute(f"create or replace temporary table fresh_rows as {told.format(row)}")
            changed.append(
                add_versions(con, "pnl.day_version", "fresh_rows", ("account_id", "trading_date"), "'CODE'", values)
            )
    assert changed == [1, 2, 0]


# ---- disks


def test_a_disk_that_was_full_once_ends_the_archive_of_the_run_also_where_there_is_room_again(tmp_path: Path) -> None:
    with Archive() as archive:
        archive.begin(tmp_path / "run", {})
        pages = os.dup(archive._pages)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, archive._pages)
        with pytest.raises(OSError, match="No space left on device"):
            archive(a_reply())
        os.dup2(pages, archive._pages)
        with pytest.raises(OSError, match="No space left on device"):
            archive(a_reply())
        with pytest.raises(OSError, match="No space left on device"):
            archive.close({})
        os.close(pages)
        os.close(full)
    assert not archive.files


def a_reply() -> ReceivedReply:
    return ReceivedReply("positions", "A", 1, 1, 200, b"{}", None, NOW)


def test_a_copy_that_fails_says_the_last_of_the_copying_process_or_how_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "daybook.duckdb"
    with duckdb.connect(tmp_path / "warehouse.duckdb") as con:
        con.execute("create schema pnl; create table pnl.t as select range as n from range(1000)")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        con.execute("checkpoint")
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        try:
            with pytest.raises(BuildFailed) as failed:
                publish(con, target, ("pnl",))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert str(failed.value).startswith(f"{target} was not published: File too large.")
        assert "Traceback" not in str(failed.value)
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(BuildFailed, match="was not published: copying ended with 1"):
            publish(con, target, ("pnl",))
    assert not target.exists()
