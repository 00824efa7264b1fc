"""The archive outside of any home: in a bucket, by a real S3 server, and in a folder."""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.archive.bucket import Bucket
from pipelines.archive.places import runs_at
from pipelines.archive.read import ArchivedRun, Damaged, StoredRun, archived_runs
from pipelines.errors import DaybookError, StoreAway
from pipelines.ingest.landing import TABLES
from pipelines.ingest.replay import replay
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.support.care import NOBODY
from tests.support.lakes import STORE_SECRET
from tests.support.lakes import Bucket as Server


@pytest.fixture(params=["folder", "bucket"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    """An empty archive in a folder that machines share, and one in a bucket."""
    if request.param == "folder":
        return Bucket(str(tmp_path / "shared" / "archive"), tmp_path / "working")
    server = request.getfixturevalue("bucket")
    return Bucket(f"s3://{server.name}/{tmp_path.name}/archive", tmp_path / "working")


@pytest.fixture
def home(home_of_two_evenings: Path, tmp_path: Path) -> Settings:
    """A home whose archive a test may change."""
    shutil.copytree(home_of_two_evenings / "archive", tmp_path / "home" / "archive")
    return Settings(base_url=NOBODY, home=tmp_path / "home")


def bytes_of(run: StoredRun) -> dict[str, bytes]:
    with run.at_hand() as here:
        return {path.name: path.read_bytes() for path in here.folder.iterdir()}


def test_the_same_files_are_there_and_nothing_is_left_on_this_machine(archive: Bucket, home: Settings) -> None:
    runs = archived_runs(home.archive)
    for run in reversed(runs):
        archive.keep(run)
        archive.keep(run)  # again changes nothing
    sent = archive.runs()
    assert [run.run_id for run in sent] == [run.run_id for run in runs]
    for here, there in zip(runs, sent, strict=True):
        assert bytes_of(there) == bytes_of(here)
        assert (there.size, there.is_sealed) == (here.size, True)
        assert (there.began, there.ended, there.trading_date) == (here.began, here.ended, here.trading_date)
        with there.at_hand() as fetched:
            fetched.prove()
    assert not archive.scratch.exists() or not list(archive.scratch.iterdir())


def test_an_upload_that_was_killed_is_no_run_and_is_done_again(
    archive: Bucket, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = archived_runs(home.archive)[0]
    whole = Bucket._put
    for sent in (0, 1):  # killed before the pages, and between them and the seal

        def put(self: Bucket, source: Path, name: str, sent: int = sent) -> None:
            if source.name != ("pages.json.zst", "run.json")[sent]:
                return whole(self, source, name)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Bucket, "_put", put)
            with pytest.raises(KeyboardInterrupt):
                archive.keep(run)
        assert archive.runs() == []
    pages = f"{run.folder.parent.name}/{run.run_id}/pages.json.zst"
    assert archive.leftovers(datetime.now(UTC) + timedelta(days=1)) == [pages]
    assert archive.leftovers(datetime.now(UTC) - timedelta(days=1)) == []
    archive.keep(run)
    (sent_run,) = archive.runs()
    assert bytes_of(sent_run) == bytes_of(run)
    assert archive.leftovers(datetime.now(UTC) + timedelta(days=1)) == []


def test_what_is_not_what_was_written_is_never_sent_and_nothing_is_overwritten(archive: Bucket, home: Settings) -> None:
    run, other = archived_runs(home.archive)
    archive.keep(run)
    impostor = other.folder.parent / "elsewhere" / run.folder.parent.name / run.run_id
    shutil.copytree(other.folder, impostor)
    with pytest.raises(DaybookError, match="is another run than"):
        archive.keep(ArchivedRun(impostor))
    pages = other.folder / "pages.json.zst"
    pages.write_bytes(pages.read_bytes()[:-1] + b"?")
    with pytest.raises(Damaged, match="is damaged"):
        archive.keep(other)
    assert [(each.run_id, bytes_of(each)) for each in archive.runs()] == [(run.run_id, bytes_of(run))]


def test_a_run_that_is_deleted_is_gone_and_one_that_lost_its_pages_is_damaged(archive: Bucket, home: Settings) -> None:
    runs = archived_runs(home.archive)
    for run in runs:
        archive.keep(run)
    first, last = archive.runs()
    first.delete()
    assert [run.run_id for run in archive.runs()] == [runs[1].run_id]
    archive.delete(f"{last.name}/pages.json.zst")
    with pytest.raises(Damaged), archive.runs()[0].at_hand() as here:
        here.prove()


def test_replay_gives_the_books_back_from_the_bucket_alone(archive: Bucket, home: Settings, tmp_path: Path) -> None:
    for run in archived_runs(home.archive):
        archive.keep(run)
    assert landed(home, None) == landed(Settings(base_url=NOBODY, home=tmp_path / "empty"), archive.place)


def landed(settings: Settings, archive: str | None) -> dict[str, list[tuple[object, ...]]]:
    """The rows of raw.* after a replay into an empty warehouse."""
    with warehouse_session(settings, rebuilding=True) as con:
        done = replay(con, settings, archive=archive)
        assert (len(done.landed), done.damaged) == (2, [])
        select = "select * exclude (_dlt_load_id) from raw.{} order by all"
        return {name: con.execute(select.format(name)).fetchall() for name in TABLES}


def test_a_store_that_is_away_is_said_in_one_sentence_without_a_key(
    home: Settings, bucket: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = archived_runs(home.archive)[0]
    nowhere = (
        r"^The archive s3://no-such-bucket/archive can't be written \(.*\): make that bucket, or correct its name\.$"
    )
    with pytest.raises(StoreAway, match=nowhere):
        Bucket("s3://no-such-bucket/archive", home.working).keep(run)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        place = f"s3://{bucket.name}/archive"
        for ask in (lambda: runs_at(place, home), lambda: Bucket(place, home.working).keep(run)):
            with pytest.raises(StoreAway, match=r"can't be \w+ \(Could not connect to server\): look at") as refused:
                ask()
            assert STORE_SECRET not in str(refused.value)
