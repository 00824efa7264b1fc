"""A bucket that refuses a key, or shows a certificate that has expired: one sentence that says what to do, the right
exit code, nothing half done, and nothing lost."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from daybook.cli import main
from pipelines.settings import Settings
from pipelines.warehouse.session import warehouse_session
from tests.lake.conftest import NewLake
from tests.support.broker_server import BrokerServer
from tests.support.command_line import environment, lake_variables
from tests.support.desk import FRIDAY
from tests.support.fault_books import broker
from tests.support.lakes import Bucket, copy_of, snapshots
from tests.support.postgres import Postgres
from tests.support.tls_relay import behind_tls

psycopg = pytest.importorskip("psycopg", reason="the extra lake is not installed")

READS = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}
RUNS = "select count(*), count(distinct trading_date) from raw.extract_run"


class Commands:
    """Commands in this process, with variables of their own."""

    def __init__(self, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capsys = capsys

    def __call__(self, settings: Settings, *words: str, **variables: str) -> tuple[int, str]:
        """The exit code of a command on a lake, and its last line on standard error."""
        named = environment(settings.home, settings.base_url, **lake_variables(settings), **variables)
        with self._patch.context() as patch:
            for name, value in named.items():
                patch.setenv(name, value)
            code = main(list(words))
        said = self._capsys.readouterr().err
        assert "Traceback" not in said
        return code, " ".join((said.splitlines() or [""])[-1].split())


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capsys)


@pytest.fixture
def friday(postgres: Postgres, thursday_in_bucket: Settings, tmp_path: Path) -> Iterator[tuple[BrokerServer, Settings]]:
    """A copy of that lake, and the broker on Friday."""
    with broker(FRIDAY) as at:
        yield at, copy_of(postgres, thursday_in_bucket, tmp_path / "home", at.url)


@pytest.fixture
def reader(bucket: Bucket) -> dict[str, str]:
    """The variables of a key that may read the bucket, and not write."""
    import boto3

    iam = boto3.client(
        "iam", endpoint_url=bucket.url, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )
    iam.create_user(UserName="reader")
    document = json.dumps({"Version": "2012-10-17", "Statement": [READS]})
    iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=document)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@contextmanager
def looking_at_keys(bucket: Bucket) -> Iterator[None]:
    """Nobody is let in without a key that is known, and to do what it may."""
    _look_at_keys_after(bucket, "0")
    try:
        yield
    finally:
        _look_at_keys_after(bucket, "inf")


def _look_at_keys_after(bucket: Bucket, requests: str) -> None:
    url, said = f"{bucket.url}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    request = urllib.request.Request(url, data=requests.encode(), headers=said, method="POST")  # noqa: S310
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def is_made(settings: Settings) -> bool:
    with psycopg.connect(str(settings.lake)) as con:
        return con.execute("select to_regclass('ducklake_snapshot')").fetchone() != (None,)


def landed(settings: Settings) -> tuple[int, ...]:
    with warehouse_session(settings) as con:
        return con.execute(RUNS).fetchone() or ()


def test_a_bucket_that_a_key_may_only_read_is_told_of_and_what_was_read_is_landed_by_one_that_may_write(
    lake: NewLake,
    bucket: Bucket,
    reader: dict[str, str],
    friday: tuple[BrokerServer, Settings],
    run: Commands,
    tmp_path: Path,
) -> None:
    _, settings = friday
    before = snapshots(settings)
    new = lake(tmp_path / "new", bucket=bucket, made=False)
    with looking_at_keys(bucket):
        code, said = run(new, "lake", "create", **reader)
        assert (code, is_made(new)) == (2, False)
        assert "can't be written (Access Denied" in said
        for command in ("sync", "eod"):
            code, said = run(settings, command, **reader)
            assert (code, snapshots(settings)) == (1, before), said
            assert f"The archive {settings.lake_data}/archive can't be written (Access Denied" in said
            assert "AWS_SECRET_ACCESS_KEY, or have that key let in. What was read stays in" in said
        assert run(settings, "sql", RUNS, **reader)[0] == 0  # as is right for a reader
        code, said = run(settings, "sql", "from pnl.firm_daily", AWS_ACCESS_KEY_ID="unknown")
        assert (code, "Forbidden)): correct AWS_ACCESS_KEY_ID" in said) == (1, True), said
    assert run(settings, "sync")[0] == 0
    assert landed(settings) == (3, 2)  # Thursday's, the one that was kept, and this one
    with looking_at_keys(bucket):
        before = snapshots(settings)
        code, said = run(settings, "build", **reader)
        assert (code, snapshots(settings)) == (1, before)
        assert said.startswith("daybook: The build failed and changed nothing: HTTP Error: ")
        assert said.endswith(
            f"To reach {settings.lake_data}/tables/, correct {' and '.join(reader)}, or have that key let in."
        )
    assert run(settings, "build")[0] == 0


def test_a_bucket_whose_certificate_has_expired_is_not_trusted_and_one_of_the_firms_own_authority_is(
    lake: NewLake, bucket: Bucket, friday: tuple[BrokerServer, Settings], run: Commands, tmp_path: Path
) -> None:
    _, settings = friday
    before = snapshots(settings)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    trusting = {"AWS_CA_BUNDLE": str(tmp_path / "ca.pem")}
    new = lake(tmp_path / "new", bucket=bucket, made=False)
    with behind_tls(bucket.url, expired(authority)) as url:
        at = {**trusting, "AWS_ENDPOINT_URL": url}
        code, said = run(new, "lake", "create", **at)
        assert (code, is_made(new)) == (1, False)
        assert "can't be trusted (certificate has expired): renew the certificate of its server" in said
        for command in (("sync",), ("sql", "from pnl.firm_daily")):
            code, said = run(settings, *command, **at)
            assert (code, snapshots(settings)) == (1, before), said
            assert "can't be reached (IO Error: SSL peer certificate " in said
            assert "or name the file of whoever signed it in AWS_CA_BUNDLE; what was committed is in the books." in said
    with behind_tls(bucket.url, authority.issue_cert("127.0.0.1")) as url:
        assert run(settings, "sync", AWS_ENDPOINT_URL=url, **trusting)[0] == 0
        assert landed(settings) == (2, 2)
        nobody = run(settings, "sync", AWS_ENDPOINT_URL=url, AWS_CA_BUNDLE=str(tmp_path / "none.pem"))
        assert (nobody[0], "is no file: name one with certificates, or leave it out." in nobody[1]) == (2, True)


def expired(authority: trustme.CA) -> trustme.LeafCert:
    """A certificate that was good until yesterday."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    return authority.issue_cert("127.0.0.1", not_before=yesterday - timedelta(days=1), not_after=yesterday)
