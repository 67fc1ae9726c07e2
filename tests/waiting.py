"""Browsers that wait, hundreds of them in one thread: raw sockets on `/events/<token>`."""

import selectors
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from django.core import signing

LOOK = b"event: look\n"


def token(topic: str, secret_key: str, life: timedelta = timedelta(minutes=10)) -> str:
    """As `portal.live.tokens.token` makes it in the portal that has this key."""
    ends_at = int(time.time() + life.total_seconds())
    return signing.dumps([topic, ends_at, ""], key=secret_key, salt="portal.live")


def secret_of(var: Path) -> str:
    return (var / "secret_key.txt").read_text().strip()


class Waiting:
    """Open streams, and when each was told. Closes them at the end."""

    def __init__(
        self, port: int, tokens: Iterable[str], *, cookies: Mapping[str, str] | None = None
    ) -> None:
        """`cookies`: the Cookie header of a token that is bound to a session."""
        self.selector = selectors.DefaultSelector()
        self.got: dict[socket.socket, bytes] = {}
        self.told_at: dict[str, float] = {}
        self.tokens: dict[socket.socket, str] = {}
        self.ended: set[str] = set()
        for one in tokens:
            connection = socket.create_connection(("127.0.0.1", port), timeout=20)
            head = f"GET /events/{one} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            if cookies:
                head += f"Cookie: {cookies[one]}\r\n"
            connection.sendall(f"{head}Accept: text/event-stream\r\n\r\n".encode())
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ)
            self.got[connection], self.tokens[connection] = b"", one

    def read(self, until: Callable[[], bool], *, seconds: float) -> bool:
        """Read what comes until it is enough; whether it ever was."""
        deadline = time.monotonic() + seconds
        while not until():
            if time.monotonic() > deadline:
                return False
            for key, _ in self.selector.select(0.05):
                self._take(key.fileobj)  # type: ignore[arg-type]
        return True

    def _take(self, connection: socket.socket) -> None:
        try:
            part = connection.recv(65536)
        except OSError:
            part = b""
        one = self.tokens[connection]
        if not part:
            self.ended.add(one)
            self.selector.unregister(connection)
            return
        self.got[connection] += part
        if LOOK in self.got[connection]:
            self.told_at.setdefault(one, time.perf_counter())

    @property
    def open(self) -> int:
        """How many have the head of the stream."""
        return sum(b"retry: 2000" in got for got in self.got.values())

    def said_to(self, one: str) -> bytes:
        return next(self.got[c] for c, theirs in self.tokens.items() if theirs == one)

    def __enter__(self) -> "Waiting":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connection in self.got:
            connection.close()
        self.selector.close()
