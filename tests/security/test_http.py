"""The server itself, by raw socket: abuse-cases.md G 146, 149, 154 and H 173."""

import re

import pytest

from portal.middleware import HEADERS
from tests.serving import Portal, send_raw

pytestmark = pytest.mark.live
PATHS = [
    "/.env", "/.git/config", "/portal.sqlite3", "/static/../portal/settings.py", "/var/secret_key.txt",
    "/static/..%2f..%2fportal/settings.py", "/static/", "/manage.py~", "/static/%2e%2e/%2e%2e/etc/passwd",
]  # fmt: skip


def status_of(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3})", answer)
    return int(found[1]) if found else 0


@pytest.fixture(scope="module")
def served(portal_on: Portal) -> Portal:
    if portal_on.kind != "sqlite":
        pytest.skip("the database makes no difference here")
    return portal_on


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: -1",
        "Content-Length: x",
        "Transfer-Encoding: chunked, identity",
        "Bad Header: x",
        "X: a\x00b",
    ],
)
def test_an_ambiguous_request_is_refused_and_closed(served: Portal, head: str):
    raw = f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n\r\n0\r\n\r\nGET /smuggled/ HTTP/1.1\r\n"
    answer = send_raw(served.port, raw.encode() + b"Host: 127.0.0.1\r\n\r\n", seconds=3)
    assert status_of(answer) in (0, 400, 403, 501)
    assert answer.count(b"HTTP/1.1") <= 1, answer


@pytest.mark.parametrize(
    "line", ["GET http://evil.example/settings/ HTTP/1.1", "GET /settings/ HTTP/1.1"]
)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:x", "127.0.0.1@evil.example"])
def test_a_foreign_host_gets_nothing(served: Portal, line: str, host: str):
    raw = f"{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    answer = send_raw(served.port, raw)
    assert status_of(answer) == 400
    assert b"evil.example" not in answer


def test_an_absolute_address_does_not_change_where_redirects_lead(served: Portal):
    raw = (
        "GET http://evil.example/settings/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    )
    answer = send_raw(served.port, raw.encode())
    assert status_of(answer) in (302, 400, 404)
    assert not re.search(rb"(?i)location: *(https?:)?//evil", answer)


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_page_is_not_found(served: Portal, path: str):
    answer = send_raw(
        served.port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    )
    assert status_of(answer) in (400, 404)


def test_static_files_carry_the_headers_too(served: Portal):
    page = served.browser().get("/login/")
    found = re.search(r'"(/static/[^"]+\.css)"', page.text)
    assert found
    sheet = served.browser().get(found[1])
    assert sheet.status == 200
    assert {name: sheet.headers.get(name) for name in HEADERS} == HEADERS
    assert "immutable" in sheet.headers["Cache-Control"]


def test_a_huge_body_is_refused_quickly(served: Portal):
    body = b"username=" + b"a" * 10_000_000
    head = f"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\r\n"
    answer = send_raw(served.port, head.encode() + body)
    assert status_of(answer) in (0, 400, 403, 413)  # 0: closed while we were still sending
    assert served.browser().get("/login/").status == 200


CLASSES = {
    "a page": ("GET", "/login/", {}, 200),
    "its head": ("HEAD", "/login/", {}, 405),
    "a redirect": ("GET", "/settings/", {}, 302),
    "not found": ("GET", "/nowhere/", {}, 404),
    "a missing slash": ("GET", "/login", {}, 301),
    "a method that is not taken": ("GET", "/logout/", {}, 405),
    "any method": ("TRACE", "/login/", {}, 405),
    "a foreign host": ("GET", "/login/", {"Host": "evil.example"}, 400),
    "a static file of a foreign host": ("GET", "/static/css/portal.css", {"Host": "evil.example"}, 0),
    "no token": ("POST", "/login/", {"Content-Length": "0"}, 403),
    "a forged link": ("GET", "/settings/user/not-me/x/", {}, 409),
    "JSON": ("GET", "/health/live/", {}, 200),
    "a static file that is missing": ("GET", "/static/nothing.css", {}, 404),
    "a static folder": ("GET", "/static/", {}, 404),
}  # fmt: skip


@pytest.mark.parametrize("what", CLASSES)
def test_every_class_of_answer_carries_the_headers(served: Portal, what: str):
    """G 149, over the wire."""
    method, path, headers, status = CLASSES[what]
    lines = {"Host": "127.0.0.1", "Connection": "close"} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    answer = send_raw(served.port, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
    assert status_of(answer) == status or not status
    found = dict(re.findall(rb"(?m)^([\w-]+): (.*)\r$", answer.partition(b"\r\n\r\n")[0] + b"\r\n"))
    found = {name.decode().lower(): value.decode() for name, value in found.items()}
    assert {name: found.get(name.lower()) for name in HEADERS} == HEADERS
    if status_of(answer) != 200 or not path.startswith("/static/"):
        assert "no-store" in found["cache-control"]
