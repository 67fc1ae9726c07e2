"""Browsers for journeys: one over real HTTP, one in this process whose SQL can be counted."""

import gzip
import socket
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import httptools


@dataclass(frozen=True)
class Page:
    path: str
    status: int
    text: str
    location: str = ""
    wire_bytes: int = 0  # of the body, as it travelled
    cache_control: str = ""
    content_type: str = ""


class Browser(Protocol):
    seen: list[Page]

    def get(self, path: str) -> Page: ...

    def post(self, path: str, data: dict[str, str]) -> Page: ...


class _Answer:
    """What the parser has found so far."""

    def __init__(self) -> None:
        self.headers: list[tuple[str, str]] = []
        self.body = b""
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.is_complete = True


@dataclass
class OverHttp:
    """
    Keeps its connection and its cookies; `address` is who it says it is to the trusted proxy's server.

    It shares the machine with what it measures, so it is lean: the server's own parser on a socket.
    """

    port: int
    address: str = "192.0.2.1"
    encodings: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    seen: list[Page] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection: socket.socket | None = None

    def get(self, path: str) -> Page:
        return self.ask("GET", path, b"", {})

    def post(self, path: str, data: dict[str, str]) -> Page:
        token = self.cookies.get("csrf") or self.cookies["csrftoken"]
        body = urlencode(data | {"csrfmiddlewaretoken": token}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body, headers)

    def rest(self) -> None:
        """Let the connection go, as the server does with one that nobody uses for a while."""
        if self._connection:
            self._connection.close()
            self._connection = None

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Page:
        status, answer = self._exchange(method, path, body, headers)
        kept = dict(answer.headers)
        for name, value in answer.headers:
            if name == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        coding = kept.get("content-encoding", "")
        plain = gzip.decompress(answer.body) if coding == "gzip" else b"" if coding else answer.body
        page = Page(
            path,
            status,
            plain.decode("utf-8", "replace"),
            _local(kept.get("location", "")),
            len(answer.body),
            kept.get("cache-control", ""),
            kept.get("content-type", ""),
        )
        self.seen.append(page)
        return page

    def _exchange(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, _Answer]:
        wanted = {
            "Host": f"127.0.0.1:{self.port}",
            "Accept-Encoding": self.encodings or "identity",
            "X-Forwarded-For": self.address,
            **headers,
        }
        if self.cookies:
            wanted["Cookie"] = self.cookie_header
        if method == "POST":
            wanted.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {wanted[name]}" for name in wanted)]
        if self._connection is None:
            self._connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        answer = _Answer()
        parser = httptools.HttpResponseParser(answer)
        while not answer.is_complete:
            part = self._connection.recv(65_536)
            if not part:
                raise ConnectionError(f"{path}: the answer was cut off")
            parser.feed_data(part)
        return parser.get_status_code(), answer


@dataclass
class InProcess:
    """Django's test client, with the checks that a browser meets."""

    seen: list[Page] = field(default_factory=list)

    def __post_init__(self) -> None:
        from django.test import Client

        self._client: Any = Client(enforce_csrf_checks=True, REMOTE_ADDR="192.0.2.1")

    def get(self, path: str) -> Page:
        return self._page(path, self._client.get(path))

    def post(self, path: str, data: dict[str, str]) -> Page:
        from django.conf import settings

        token = self._client.cookies[settings.CSRF_COOKIE_NAME].value
        return self._page(path, self._client.post(path, data | {"csrfmiddlewaretoken": token}))

    def _page(self, path: str, response: Any) -> Page:
        location = _local(response.headers.get("Location", ""))
        text = response.content.decode()
        page = Page(path, response.status_code, text, location, len(response.content))
        self.seen.append(page)
        return page


def _local(location: str) -> str:
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")
