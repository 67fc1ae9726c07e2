"""
`/events/<token>`: server-sent events for a browser that waits. A raw ASGI application beside Django, because
a view would hold a thread and a database connection for as long as somebody waits: docs/adr/0009.

The one event is `look`, without data: look again. It is sent only after the row has been read and says so
itself, so a bell that rings for nothing tells nothing. Rows are read by two threads per process, never on the
event loop. `/events/<token>?now` answers the same question once: 200 for "look", 204 for "not yet".
"""

import asyncio
import logging
import resource
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections
from django.http import parse_cookie

from portal.caller import digest_of_session
from portal.middleware import HEADERS

from . import readers, tokens
from .hub import Hub
from .readers import Reader
from .tokens import Ticket

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/events/"
KEEP_ALIVE = 15.0  # seconds; the row is read again as well, should a word have been lost
WHILE_DOWN = 2.0  # seconds between readings without a broker
LONGEST_STREAM = 120.0  # seconds; a browser comes again by itself
STREAMS_OF_TOPIC = 5
SPARE_DESCRIPTORS = 256  # for everything else in the process

START, LOOK, ALIVE = b"retry: 2000\n\n", b"event: look\ndata:\n\n", b":\n\n"
PLAIN, EVENTS = b"text/plain; charset=utf-8", b"text/event-stream"


class Streams:
    """The application: one per process."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.open = 0
        self.room = min(
            settings.LIVE_STREAMS,
            resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_DESCRIPTORS,
        )
        self._threads = ThreadPoolExecutor(2, "live-reader")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            ticket, reader = _admit(scope)
        except _Refused as refused:
            await _answer(send, refused.status)
            return
        if scope["query_string"] == b"now":
            await _answer(send, 200 if await self._reads(reader, ticket) else 204)
        elif self.hub.count(ticket.topic) >= STREAMS_OF_TOPIC:
            await _answer(send, 429)
        elif self.open >= self.room:
            await _answer(send, 503)
        else:
            await self._stream(ticket, reader, receive, send)

    async def _stream(self, ticket: Ticket, reader: Reader, receive: Receive, send: Send) -> None:
        self.open += 1
        gone = asyncio.Event()
        with self.hub.waiting(ticket.topic) as bell:
            watcher = asyncio.create_task(_until_gone(receive, gone, bell))
            try:
                await send(
                    {"type": "http.response.start", "status": 200, "headers": _headers(EVENTS)}
                )
                await _write(send, START)
                await self._wait(ticket, reader, bell, gone, send)
            except asyncio.CancelledError:
                pass  # the server stops: end the stream, and the browser comes again
            finally:
                watcher.cancel()
                self.open -= 1
        if not gone.is_set():
            await _write(send, b"", more=False)

    async def _wait(
        self,
        ticket: Ticket,
        reader: Reader,
        bell: asyncio.Event,
        gone: asyncio.Event,
        send: Send,
    ) -> None:
        """Until there is something to look at, the browser is gone, or the time is over."""
        end = time.monotonic() + min(LONGEST_STREAM, ticket.ends_at - time.time())
        while not gone.is_set():
            bell.clear()
            if await self._reads(reader, ticket):
                await _write(send, LOOK)
                return
            left = end - time.monotonic()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(KEEP_ALIVE if self.hub.is_up else WHILE_DOWN, left)):
                    await bell.wait()
            except TimeoutError:
                await _write(send, ALIVE)

    async def _reads(self, reader: Reader, ticket: Ticket) -> bool:
        """Whether the row says that there is something to look at; a row that cannot be read does not."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _read, reader, ticket.key)
        except Exception as error:
            log.warning("%s cannot be read (%s)", ticket.kind, type(error).__name__)
            return False


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _admit(scope: Scope) -> tuple[Ticket, Reader]:
    """Whom we would tell about what. No session is loaded: the token names the one it was made for."""
    if scope["method"] != "GET":
        raise _Refused(405)
    session = digest_of_session(_session_key(scope))
    try:
        ticket = tokens.read(scope["path"].removeprefix(PREFIX), session=session)
    except tokens.Unknown:
        raise _Refused(404) from None
    except tokens.Expired:
        raise _Refused(410) from None
    reader = readers.reader_of(ticket.kind)
    if reader is None:
        raise _Refused(404)
    return ticket, reader


def _read(reader: Reader, key: str) -> bool:
    """These threads keep their connection. One that has broken is replaced, once."""
    try:
        return reader(key)
    except DatabaseError:
        connections.close_all()
        return reader(key)


async def _until_gone(receive: Receive, gone: asyncio.Event, bell: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()
    bell.set()


def _session_key(scope: Scope) -> str:
    """As Django reads it."""
    sent = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    return parse_cookie(sent.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")


def _headers(kind: bytes) -> list[tuple[bytes, bytes]]:
    common = {**HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    named = [(name.lower().encode(), value.encode()) for name, value in common.items()]
    return [(b"content-type", kind), *named]


async def _answer(send: Send, status: int) -> None:
    body = b"look" if status == 200 else b""
    headers = [*_headers(PLAIN), (b"content-length", str(len(body)).encode())]
    if status == 204:
        headers = headers[:-1]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await _write(send, body, more=False)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
