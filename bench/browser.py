"""Browsers for journeys: one over real HTTP, one in this process whose SQL can be counted."""

import gzip
import http.client
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit


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


@dataclass
class OverHttp:
    """Keeps its connection and its cookies; `address` is who it says it is to the trusted proxy's server."""

    port: int
    address: str = "192.0.2.1"
    encodings: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    seen: list[Page] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port)

    def get(self, path: str) -> Page:
        return self.ask("GET", path, b"", {})

    def post(self, path: str, data: dict[str, str]) -> Page:
        token = self.cookies.get("csrf") or self.cookies["csrftoken"]
        body = urlencode(data | {"csrfmiddlewaretoken": token}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body, headers)

    def rest(self) -> None:
        """Let the connection go, as the server does with one that nobody uses for a while."""
        self._connection.close()

    @property
    def cookie_header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Page:
        headers |= {"X-Forwarded-For": self.address}
        if self.cookies:
            headers["Cookie"] = self.cookie_header
        if self.encodings:
            headers["Accept-Encoding"] = self.encodings
        self._connection.request(method, path, body=body or None, headers=headers)
        response = self._connection.getresponse()
        raw = response.read()
        for line in response.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        coding = response.headers.get("Content-Encoding", "")
        plain = gzip.decompress(raw) if coding == "gzip" else b"" if coding else raw
        page = Page(
            path,
            response.status,
            plain.decode("utf-8", "replace"),
            _local(response.headers.get("Location", "")),
            len(raw),
            response.headers.get("Cache-Control", ""),
            response.headers.get("Content-Type", ""),
        )
        self.seen.append(page)
        return page


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
