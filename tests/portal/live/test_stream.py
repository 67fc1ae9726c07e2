"""`/events/<token>`, asked as a server asks it: who is answered, what is said, and what is left behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import OperationalError

from portal.caller import digest_of_session
from portal.live import readers, stream, tokens
from portal.live.stream import Streams
from portal.live.tokens import token

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _quick_and_without_a_broker(monkeypatch, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    monkeypatch.setattr(stream, "WHILE_DOWN", 0.05)


class Visit:
    """One request to the application, from the inside of its server."""

    def __init__(
        self,
        streams: Streams,
        path: str,
        *,
        method: str = "GET",
        query: bytes = b"",
        cookie: bytes = b"",
    ) -> None:
        self.sent: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        headers = [(b"cookie", cookie)] if cookie else []
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": headers,
        }
        self.started = False
        self.task = asyncio.create_task(streams(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self.started:
            self.started = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def is_over(self) -> bool:
        return not self.sent[-1].get("more_body", True)


def run(scene: Callable[[Streams], Awaitable[None]]) -> None:
    async def play() -> None:
        streams = Streams()
        await scene(streams)
        assert streams.open == 0
        assert streams.hub._bells == {}
        await asyncio.sleep(0)
        left = {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}}
        assert left <= {"live hub"}, left

    asyncio.run(play())


def answer(path: str, **kwargs: Any) -> Visit:
    """The whole answer to a request that does not wait."""
    visits = []

    async def scene(streams: Streams) -> None:
        visits.append(Visit(streams, path, **kwargs))
        await asyncio.wait_for(visits[0].task, 5)

    run(scene)
    return visits[0]


def events(topic: str = "try:1", life: timedelta = MINUTE, session: str = "") -> str:
    return f"/events/{token(topic, life, session=session)}"


# --- Who is answered --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/events/",
        "/events/x",
        "/events/" + "x" * 5000,
        "/events/a:b:c",
        "/events/../admin/",
        "/events/ü\x00",
        "/events/" + signing.dumps(["try:1", 9_999_999_999, ""], salt="undo"),
        "/events/" + signing.dumps(["try:1", 9_999_999_999, ""]),
        "/events/" + signing.dumps("try:1", salt=tokens.SALT),
        "/events/" + signing.dumps({"a": 1}, salt=tokens.SALT),
        "/events/" + signing.dumps(["try:1", 9_999_999_999, ""], key="k" * 50, salt=tokens.SALT),
    ],
    ids=range(11),  # signed texts are others at every start
)
def test_what_is_no_token_of_ours_is_not_found(kinds, path):
    kinds["try"] = lambda key: True
    assert (answer(path).status, answer(path).body) == (404, b"")


def test_a_token_of_a_kind_that_nobody_watches_is_not_found(kinds):
    assert answer(events("other:1")).status == 404


def test_a_changed_token_is_not_found(kinds):
    kinds["try"] = lambda key: True
    path = events()
    assert answer(path).status == 200
    assert answer(path[:-1] + ("A" if path[-1] != "A" else "B")).status == 404


def test_an_expired_token_is_gone(kinds, monkeypatch):
    kinds["try"] = lambda key: True
    path, now = events(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert answer(path).status == 410
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    assert answer(path).status == 410


def test_a_token_never_lives_longer_than_an_hour(kinds, monkeypatch):
    kinds["try"] = lambda key: True
    path, now = events(life=timedelta(days=30)), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    assert answer(path).status == 410


def test_a_token_of_another_browser_is_not_found(kinds, settings):
    kinds["try"] = lambda key: True
    path = events(session=digest_of_session("mine"))
    name = settings.SESSION_COOKIE_NAME.encode()
    assert answer(path, cookie=b"a=b; " + name + b"=mine").status == 200
    assert answer(path, cookie=b'{"x": [1]}; y; ' + name + b"=mine").status == 200
    assert answer(path, cookie=name + b"=other").status == 404
    assert answer(path, cookie=b"\xff\xfe;;==").status == 404
    assert answer(path).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_get_is_answered(kinds, method):
    kinds["try"] = lambda key: True
    assert answer(events(), method=method).status == 405


# --- What is said -----------------------------------------------------------------------------------


def test_what_has_changed_already_is_told_at_once_and_the_stream_ends(kinds):
    kinds["try"] = lambda key: key == "1"
    visit = answer(events())
    assert visit.status == 200
    assert visit.body == b"retry: 2000\n\nevent: look\ndata:\n\n"
    assert visit.is_over


def test_a_stream_is_neither_kept_nor_buffered_and_has_the_headers_of_a_page(kinds):
    kinds["try"] = lambda key: True
    headers = answer(events()).headers
    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    for visit in (headers, answer("/events/x").headers):
        assert "default-src 'none'" in visit["content-security-policy"]
        assert visit["x-content-type-options"] == "nosniff"
        assert visit["cross-origin-resource-policy"] == "same-origin"
        assert visit["referrer-policy"] == "same-origin"


def test_a_bell_that_rings_for_nothing_tells_nothing(kinds):
    read = []
    kinds["try"] = lambda key: bool(read.append(key))

    async def scene(streams: Streams) -> None:
        visit = Visit(streams, events())
        for _ in range(20):
            await asyncio.sleep(0.01)
            streams.hub.ring_all()
            streams.hub.ring("try:1")
        assert len(read) > 5
        assert b"look" not in visit.body
        visit.left.set()
        await visit.task

    run(scene)


def test_a_browser_is_told_when_its_bell_rings_and_the_row_has_changed(kinds, monkeypatch):
    monkeypatch.setattr(stream, "WHILE_DOWN", 60)
    changed = set()
    kinds["try"] = changed.__contains__

    async def scene(streams: Streams) -> None:
        visits = [Visit(streams, events(f"try:{number}")) for number in (1, 2)]
        await asyncio.sleep(0.05)
        changed.update("12")
        await asyncio.sleep(0.1)
        assert b"look" not in visits[0].body  # nobody has rung
        streams.hub.ring("try:1")
        await asyncio.wait_for(visits[0].task, 5)
        assert b"look" in visits[0].body
        assert b"look" not in visits[1].body
        streams.hub.ring("try:2")
        await asyncio.wait_for(visits[1].task, 5)

    run(scene)


def test_a_change_between_the_subscription_and_the_first_reading_is_not_missed(kinds, monkeypatch):
    monkeypatch.setattr(stream, "WHILE_DOWN", 60)
    changed = set()
    streams_seen = []

    def read(key: str) -> bool:
        found = key in changed
        if not found and streams_seen:
            changed.add(key)  # after the row was read, before anybody waits
            loop.call_soon_threadsafe(streams_seen[0].hub.ring, "try:1")
            time.sleep(0.05)
        return found

    kinds["try"] = read

    async def scene(streams: Streams) -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        streams_seen.append(streams)
        visit = Visit(streams, events())
        await asyncio.wait_for(visit.task, 5)
        assert b"look" in visit.body

    loop: Any = None
    run(scene)


def test_without_a_broker_a_change_is_seen_by_asking(kinds):
    changed = set()
    kinds["try"] = changed.__contains__

    async def scene(streams: Streams) -> None:
        visit = Visit(streams, events())
        await asyncio.sleep(0.2)
        assert visit.body.startswith(b"retry: 2000\n\n:\n\n")
        changed.add("1")
        await asyncio.wait_for(visit.task, 5)
        assert b"look" in visit.body

    run(scene)


def test_a_row_that_cannot_be_read_says_nothing_and_the_stream_goes_on(kinds, caplog):
    answers = iter([ValueError("a secret"), ValueError("a secret"), False, True])

    def read(key: str) -> bool:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return bool(found)

    kinds["try"] = read
    visit = answer(events())
    assert visit.body.endswith(stream.LOOK)
    assert visit.body.count(b":\n\n") >= 3
    assert "try cannot be read (ValueError)" in caplog.text
    assert "a secret" not in caplog.text


def test_a_broken_connection_is_replaced_once(kinds, monkeypatch):
    closed, answers = [], [OperationalError("gone")]
    monkeypatch.setattr(stream.connections, "close_all", lambda: closed.append(1))

    def read(key: str) -> bool:
        if answers:
            raise answers.pop()
        return True

    kinds["try"] = read
    assert answer(events()).body.endswith(stream.LOOK)
    assert closed == [1]


def test_asked_for_now_it_says_yes_or_not_yet_and_does_not_wait(kinds):
    kinds["try"] = lambda key: key == "1"
    yes, not_yet = (answer(events(f"try:{n}"), query=b"now") for n in (1, 2))
    assert (yes.status, yes.body, yes.headers["content-length"]) == (200, b"look", "4")
    assert (not_yet.status, not_yet.body) == (204, b"")
    assert answer("/events/x", query=b"now").status == 404


# --- How it ends ------------------------------------------------------------------------------------


def test_a_stream_ends_after_its_time_without_a_word(kinds, monkeypatch):
    monkeypatch.setattr(stream, "LONGEST_STREAM", 0.2)
    kinds["try"] = lambda key: False
    visit = answer(events())
    assert visit.is_over
    assert b"look" not in visit.body


def test_a_stream_ends_with_its_token(kinds, monkeypatch):
    monkeypatch.setattr(tokens.time, "time", lambda: 1_800_000_000.5)
    kinds["try"] = lambda key: False
    start = time.monotonic()
    assert answer(events(life=timedelta(seconds=1))).is_over
    assert time.monotonic() - start < 3


def test_a_browser_that_leaves_leaves_nothing_behind(kinds):
    kinds["try"] = lambda key: False

    async def scene(streams: Streams) -> None:
        visit = Visit(streams, events())
        await asyncio.sleep(0.1)
        assert streams.open == 1
        visit.left.set()
        await asyncio.wait_for(visit.task, 5)
        assert b"look" not in visit.body

    run(scene)


def test_a_server_that_stops_ends_the_stream_in_order(kinds):
    kinds["try"] = lambda key: False

    async def scene(streams: Streams) -> None:
        visit = Visit(streams, events())
        await asyncio.sleep(0.1)
        visit.task.cancel()
        await asyncio.wait_for(visit.task, 5)
        assert visit.is_over

    run(scene)


def test_one_row_has_a_few_streams_and_one_process_a_bounded_number(kinds, settings):
    settings.LIVE_STREAMS = stream.STREAMS_OF_TOPIC + 1
    kinds["try"] = lambda key: False

    async def scene(streams: Streams) -> None:
        visits = [Visit(streams, events()) for _ in range(stream.STREAMS_OF_TOPIC + 1)]
        visits += [Visit(streams, events(f"try:{number}")) for number in (2, 3)]
        await asyncio.sleep(0.1)
        statuses = [visit.status for visit in visits]
        assert statuses == [200] * stream.STREAMS_OF_TOPIC + [429, 200, 503]
        for visit in visits:
            visit.left.set()
        await asyncio.gather(*(visit.task for visit in visits))

    run(scene)


def test_room_is_left_for_everything_else_of_the_process(settings, monkeypatch):
    settings.LIVE_STREAMS = 100_000
    monkeypatch.setattr(stream.resource, "getrlimit", lambda which: (1024, 4096))
    assert Streams().room == 1024 - stream.SPARE_DESCRIPTORS


def test_a_kind_is_watched_by_one(kinds):
    def reader(key: str) -> bool:
        return False

    readers.watch("try", reader)
    readers.watch("try", reader)
    with pytest.raises(AssertionError):
        readers.watch("try", lambda key: True)
    with pytest.raises(AssertionError):
        readers.watch("a kind", reader)
