"""The content of an answer, decoded piece by piece as it comes, within a bound of bytes.

An HTTP library decodes whatever encodings an answer names, one after the other and each to its end: 57 bytes of zstd in
zstd are five gigabytes. Here an answer is plain or gzip, once, and decoding stops at the byte that is one too many.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

#: What is asked for. Nothing else is taken.
ACCEPTED = "gzip, identity"
#: A page of 1,000 positions is half a megabyte. Decoded into rows a reply takes up to ten times its length, and four
#: are read at a time: a larger one could take the machine's memory before anything is known about it.
MOST_BYTES = 32 * 2**20
_GZIP = zlib.MAX_WBITS | 16


class Unusable(Exception):
    """An answer whose content can't be had. `final`: asking again would not help."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


class Content:
    """What has come so far. `encodings` are the values of the Content-Encoding headers. Raises Unusable for any but
    gzip, or none."""

    def __init__(self, encodings: Sequence[str], most: int = MOST_BYTES) -> None:
        named = [each.strip().lower() for value in encodings for each in value.split(",")]
        if named not in ([], ["identity"], ["gzip"]):
            what = ", ".join(named)[:100]
            raise Unusable(
                f"the answer is encoded as {what!r}, which was not asked for: daybook takes gzip, once, or none",
                final=True,
            )
        self._is_gzip = named == ["gzip"]
        self._inflate = zlib.decompressobj(_GZIP)
        self._begun = False
        self._most = most
        self._content = bytearray()

    def take(self, received: bytes) -> None:
        """Take in what came. Raises Unusable for what is too much, or no gzip."""
        if self._is_gzip:
            self._undo(received)
        else:
            self._content += received
        if len(self._content) > self._most:
            raise Unusable(f"the answer is longer than {self._most / 2**20:g} MiB, more than any page has", final=True)

    def whole(self) -> bytes:
        """All of it, at the end. Raises Unusable where the end is missing."""
        if self._begun and not self._inflate.eof:
            raise Unusable("the answer was cut short", final=False)
        return bytes(self._content)

    def _undo(self, received: bytes) -> None:
        """Undo gzip, whose members may follow one another."""
        try:
            while received and len(self._content) <= self._most:
                if self._inflate.eof:
                    self._inflate = zlib.decompressobj(_GZIP)
                self._begun = True
                # 0 would be no limit at all
                self._content += self._inflate.decompress(received, self._most - len(self._content) + 1)
                received = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        except zlib.error:
            raise Unusable("the answer is damaged: it is not the gzip that it says", final=False) from None
