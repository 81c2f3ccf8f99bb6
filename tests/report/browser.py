"""A headless Chromium, driven over the DevTools protocol by pipe: https://chromedevtools.github.io/devtools-protocol."""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = ("headless=new", "no-sandbox", "disable-gpu", "hide-scrollbars", "remote-debugging-pipe", "no-first-run",
           "disable-extensions", "disable-background-networking", "disable-dev-shm-usage")  # fmt: skip
PATIENCE = 30  # seconds for an answer


class Browser:
    """One page of a headless browser: its text, its picture, and keys, clicks and scripts in it."""

    def __init__(self, write: int, read: int):
        self._write, self._read, self._buffer, self._last = write, read, b"", 0
        self._session: str | None = None
        self.errors: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(
        self,
        path: Path,
        fragment: str = "",
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        still: bool = False,
        drawn: str = "#view h2",
    ) -> None:
        """Load a file from the disk, without a network, and wait until it is drawn; still: without motion; drawn: what
        is there then, as a selector."""
        self.errors.clear()
        self.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        wishes = {"color-scheme": "dark" if dark else "light", "reduced-motion": "reduce" if still else "no-preference"}
        features = [{"name": f"prefers-{name}", "value": value} for name, value in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.leave()  # a new fragment alone would not load it again
        self.call("Page.navigate", url=path.resolve().as_uri() + fragment)
        self.wait(f"document.readyState === 'complete' && document.querySelector({json.dumps(drawn)})")

    def leave(self) -> None:
        """Leave the page."""
        self.call("Page.navigate", url="about:blank")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < end, f"the page never came to {condition}; {self.errors}"
            time.sleep(0.02)

    def run(self, script: str) -> Any:
        """The value of an expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def key(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def text(self, selector: str) -> str:
        """What an element says."""
        return self.run(f"document.querySelector({json.dumps(selector)}).textContent")

    def click(self, selector: str) -> None:
        """Click on an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def picture(self, whole: bool = False) -> np.ndarray:
        """The page as (H, W, 3): what is in the window, or all of it."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB"))

    def pixels(self, selector: str) -> list[int]:
        """The bytes of a canvas."""
        canvas = f"document.querySelector({json.dumps(selector)})"
        return self.run(f"(c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data])({canvas})")

    def call(self, method: str, **params: Any) -> Any:
        """The answer to a command of the protocol; what the page complains of meanwhile is added to `errors`."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next(method)
            if answer.get("id") == self._last:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _next(self, method: str) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], PATIENCE)
            assert ready, f"the browser does not answer to {method}"
            some = os.read(self._read, 1 << 20)
            assert some, "the browser is gone"
            self._buffer += some
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(str([arg.get("value") for arg in params["args"]]))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif event.get("method") == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("file:", "data:", "about:")):
                self.errors.append(f"it asked for {url}")


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with a fresh profile, for the length of a block."""
    to_read, write = os.pipe()
    read, to_write = os.pipe()

    def hand_over() -> None:  # the protocol is spoken on file descriptors 3 and 4
        os.dup2(os.dup(to_read), 3)
        os.dup2(os.dup(to_write), 4)

    command = [str(CHROMIUM), *(f"--{option}" for option in OPTIONS), f"--user-data-dir={profile}"]
    process = subprocess.Popen(command, pass_fds=(3, 4, to_read, to_write), preexec_fn=hand_over,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(write, read)
    finally:
        process.kill()
        process.wait()
        os.close(write)
        os.close(read)
