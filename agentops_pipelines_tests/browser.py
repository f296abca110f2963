"""A real Chromium, driven through its DevTools protocol.

Belongs here: starting it, opening a page, waiting for what it shows, pictures. No test framework and no driver program
is needed: the protocol is JSON over a WebSocket.
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--window-size=1600,1000",
    "--remote-debugging-port=0",
)


def find_chromium() -> str | None:
    """The browser's program, if the machine has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Page:
    """One open page."""

    connection: ClientConnection
    errors: list[str] = field(default_factory=list)
    """Uncaught exceptions of the page's own scripts."""
    hosts: set[str] = field(default_factory=set)
    """Host and port of everything it asked for."""
    _number: int = 0

    def open(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)

    def click(self, text: str) -> None:
        """Click the innermost element that says just this."""
        found = f"[...document.querySelectorAll('*')].filter(one => one.innerText?.trim() == {json.dumps(text)}).pop()"
        assert self.evaluate(f"{found} ? ({found}.click(), true) : false"), f"nothing says {text!r}"

    def text(self) -> str:
        """What can be read on the page now."""
        return self.evaluate("document.body ? document.body.innerText : ''")

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, *texts: str, seconds: float = 120.0) -> str:
        """The page's text, once it holds all of `texts`."""
        return self.wait_until(lambda shown: all(text in shown for text in texts), what=repr(texts), seconds=seconds)

    def wait_until(self, condition: Callable[[str], bool], *, what: str, seconds: float = 120.0) -> str:
        """The page's text, once `condition` holds of it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            shown = self.text()
            if condition(shown):
                return shown
            time.sleep(0.2)
        raise AssertionError(f"the page never showed {what}; it shows:\n{self.text()[:3000]}")

    def picture(self, path: Path) -> None:
        """Save what the page looks like."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol; events that come in between are noted."""
        self._number += 1
        self.connection.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.connection.recv(timeout=60))
            if message.get("id") == self._number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            details = message["params"]["exceptionDetails"]
            self.errors.append(str(details.get("exception", {}).get("description", details.get("text"))))
        elif message.get("method") == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if url.startswith(("http", "ws")):
                self.hosts.add(url.split("/")[2])


@contextmanager
def open_browser(program: str) -> Iterator[Page]:
    """A page in a new browser with a profile of its own."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            # Events that nobody read hold its answer to our goodbye back: no use in waiting for it.
            with connect(_page_address(Path(profile), process), max_size=None, close_timeout=1) as connection:
                page = Page(connection)
                for domain in ("Page", "Runtime", "Network"):
                    page.call(f"{domain}.enable")
                yield page
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _page_address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The WebSocket of the first page. Chromium writes its port into the profile."""
    deadline = time.monotonic() + 60
    port_file = profile / "DevToolsActivePort"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"Chromium ended with {process.returncode}")
        if port_file.exists() and (lines := port_file.read_text(encoding="utf-8").splitlines()):
            with urlopen(f"http://127.0.0.1:{lines[0]}/json", timeout=10) as answer:
                pages = [target for target in json.load(answer) if target["type"] == "page"]
            if pages:
                return pages[0]["webSocketDebuggerUrl"]
        time.sleep(0.1)
    raise AssertionError("Chromium did not open its debugging port")
