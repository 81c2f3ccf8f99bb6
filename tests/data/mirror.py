"""A web server that behaves like a mirror, good or bad."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


class Reply(BaseHTTPRequestHandler):
    """The answer to one request; the methods below send a file whole, in part, or badly."""

    def do_GET(self) -> None:
        mirror, _, name = self.path.lstrip("/").partition("/")
        web = self.server.web
        web.requests.append((mirror, name, self.headers["Range"]))
        behaviour = web.mirrors.get(mirror)
        if behaviour is None or name not in web.files:
            self.send_error(404)
        else:
            behaviour(self, web.files[name])

    def log_message(self, *args: object) -> None:
        pass

    @property
    def start(self) -> int | None:
        """The first byte of the requested range, if any."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        return int(asked[1]) if asked else None

    def send(self, status: int, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


def good(reply: Reply, body: bytes) -> None:
    """Like most servers: whole files, and ranges on request."""
    limited(len(body))(reply, body)


def limited(most: int) -> Callable[[Reply, bytes], None]:
    """Breaks off after some bytes per connection; resumes."""

    def behave(reply: Reply, body: bytes) -> None:
        start = reply.start
        if start is None:
            reply.send(200, body[:most], len(body))
        elif start >= len(body):
            reply.send(416, b"", Content_Range=f"bytes */{len(body)}")
        else:
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            reply.send(206, body[start : start + most], len(body) - start, Content_Range=content_range)

    return behave


def whole_only(reply: Reply, body: bytes) -> None:
    """Ignores ranges."""
    reply.send(200, body)


@dataclass
class Web:
    """The server: set `files` and what each mirror does with a request; `requests` has the requests received."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    mirrors: dict[str, Callable[[Reply, bytes], None]] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def urls(self) -> list[str]:
        return [f"{self.address}/{mirror}/" for mirror in self.mirrors]

    def ranges(self, mirror: str) -> list[str | None]:
        """The ranges that a mirror was asked for, in order."""
        return [asked for where, _, asked in self.requests if where == mirror]
