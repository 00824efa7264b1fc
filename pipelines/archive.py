"""The archive: every reply as received, compressed, on disk before anything is made of it.

Names come from dates, the run's id and counters only: nothing that a broker sends can name a file.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import zstandard

from pipelines.broker.read import Received


@dataclass
class Archive:
    """One run's folder. Called with each reply; `files` lists what was written, by endpoint and account.

    The broker's clock names the folder, so the reply that tells the time waits in memory until `begin`.
    """

    folder: Path | None = None
    _waiting: list[Received] = field(default_factory=list)
    files: dict[tuple[str, str], list[dict[str, object]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0

    def begin(self, folder: Path) -> None:
        """From here on replies are written to `folder`."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for received in self._waiting:
            self(received)
        self._waiting.clear()

    def __call__(self, received: Received) -> None:
        """Write one reply and its circumstances. Raises OSError where the disk refuses: then nothing is parsed."""
        if self.folder is None:
            self._waiting.append(received)
            return
        with self._lock:
            self._count += 1
            name = f"{self._count:06d}-{received.endpoint.replace('_', '-')}.json.zst"
        packed = zstandard.ZstdCompressor(level=1).compress(received.body)
        _write(self.folder / name, packed)
        entry: dict[str, object] = {
            "file": name,
            "read": received.read,
            "page": received.page,
            "status": received.status,
            "request_id": received.request_id,
            "received_at": received.received_at.isoformat(),
            "sha256": hashlib.sha256(received.body).hexdigest(),
            "bytes": len(received.body),
        }
        with self._lock:
            self.files.setdefault((received.endpoint, received.account_id), []).append(entry)

    def close(self) -> None:
        """Write the list of the run's files beside them, and make the folder itself durable."""
        if self.folder is None:
            return
        index = [
            {"endpoint": endpoint, "account_id": account, **entry}
            for (endpoint, account), entries in sorted(self.files.items())
            for entry in entries
        ]
        _write(self.folder / "index.json", orjson.dumps(index, option=orjson.OPT_INDENT_2))
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fdatasync(file.fileno())
