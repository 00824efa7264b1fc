"""A server of HTTP behind TLS: a relay that shows a certificate, and passes on what is said to a server on loopback."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import trustme


@contextmanager
def behind_tls(url: str, certificate: trustme.LeafCert) -> Iterator[str]:
    """The address of a server at `url` behind a certificate, until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = int(url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=_pass_on, args=(context, near, server), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _pass_on(context: ssl.SSLContext, plain: socket.socket, server: int) -> None:
    """One connection, in one thread: what is encrypted may not be read and written at once."""
    with (
        suppress(OSError),  # a client that doesn't trust the certificate is gone
        plain,
        context.wrap_socket(plain, server_side=True) as near,
        socket.create_connection(("127.0.0.1", server)) as far,
    ):
        others: dict[socket.socket, socket.socket] = {near: far, far: near}
        while True:
            ready = [near] if near.pending() else select.select(list(others), [], [])[0]
            for one in ready:
                if not (data := one.recv(65536)):
                    return
                others[one].sendall(data)
