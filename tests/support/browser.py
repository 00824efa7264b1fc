"""A headless Chromium of the machine's own, driven over its own protocol: what a page asks for, says and shows."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")
ARTEFACTS = Path(__file__).parents[2] / "artefacts"

_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)
_TROUBLE = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening")


class PageLeft(Exception):
    """The tab went to another page before it answered."""


@dataclass
class Tab:
    """One tab. `requests` are the URLs it asked for; `trouble` is what it logged, threw or asked in a dialog."""

    socket: ClientConnection
    session: str
    requests: list[str] = field(default_factory=list)
    trouble: list[dict[str, Any]] = field(default_factory=list)
    _number: int = 100
    _loaded: int = 0

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command; events that come first are kept."""
        self._number += 1
        number = self._number
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters, "sessionId": self.session}))
        while True:
            message = json.loads(self.socket.recv(timeout=30))
            if message.get("id") == number:
                if "navigated or closed" in message.get("error", {}).get("message", ""):
                    raise PageLeft(message)
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        method = message.get("method", "")
        if method == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded += 1
        elif method in _TROUBLE:
            self.trouble.append(message)

    def open(self, url: str) -> None:
        """Go to a URL and wait until it has loaded."""
        before = self._loaded
        self.ask("Page.navigate", url=url)
        deadline = time.monotonic() + 30
        while self._loaded == before:
            assert time.monotonic() < deadline, f"{url} did not load"
            self.see("1")

    def run(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def leave(self, expression: str) -> None:
        """Run an expression that takes the tab to another page: whether it answers before that is chance."""
        with suppress(PageLeft):
            self.run(expression)

    def see(self, expression: str) -> Any:
        """The value of an expression in the page, None while the tab goes to another one."""
        with suppress(PageLeft):
            return self.run(expression)
        return None

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Be a window of that size whose reader prefers the light or the dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def keep(self, name: str) -> Path:
        """A picture of the whole page among the artefacts."""
        ARTEFACTS.mkdir(exist_ok=True)
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path = ARTEFACTS / f"{name}.png"
        path.write_bytes(base64.b64decode(picture["data"]))
        return path

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Move, press or release the left button at a point of the window."""
        button = "none" if kind == "mouseMoved" else "left"
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)


@contextmanager
def page(*options: str) -> Iterator[Tab]:
    """A tab of a browser of its own, started with more `options`, gone when the block ends."""
    assert CHROMIUM is not None
    with TemporaryDirectory() as profile:
        process = subprocess.Popen(
            [CHROMIUM, *_QUIET, *options, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_address(Path(profile), process), max_size=None) as socket:
                yield _tab(socket)
        finally:
            process.kill()
            process.wait()
            _leave(Path(profile))


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Where the browser listens: it writes that into its profile once it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "chromium ended"
        lines = (profile / "DevToolsActivePort").read_text().splitlines() if _is_there(profile) else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        time.sleep(0.05)
    raise AssertionError("chromium did not start to listen")


def _is_there(profile: Path) -> bool:
    return (profile / "DevToolsActivePort").exists()


def _leave(profile: Path) -> None:
    """Its helpers may still be writing into the profile when it has been killed."""
    for _ in range(50):
        shutil.rmtree(profile, ignore_errors=True)
        if not profile.exists():
            break
        time.sleep(0.1)
    profile.mkdir(exist_ok=True)  # for the folder's own clean-up


def _tab(socket: ClientConnection) -> Tab:
    def ask(number: int, method: str, **parameters: Any) -> dict[str, Any]:
        socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(socket.recv(timeout=30))
            if message.get("id") == number:
                result: dict[str, Any] = message["result"]
                return result

    target = ask(1, "Target.createTarget", url="about:blank")["targetId"]
    made = Tab(socket, ask(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
    for domain in ("Page", "Runtime", "Log", "Network"):
        made.ask(f"{domain}.enable")
    return made
