"""
One POST to a gateway: bounded in time and size, and no redirect is followed.

A time limit on the socket counts from byte to byte, and a gateway that sends one byte now and then would
hold the worker for hours; so a timer ends the whole exchange.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import SplitResult

from .base import DeliveryError

SECONDS = 10.0
LONGEST_ANSWER = 64 * 1024  # bytes; more is not read


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def is_busy(self) -> bool:
        """Says that another try may succeed."""
        return self.status in (408, 429) or self.status >= 500


def post(
    url: SplitResult, body: bytes, headers: Mapping[str, str], *, addresses: Sequence[str] = ()
) -> Answer:
    """
    The answer of the gateway. `addresses` are the IP addresses to try, when the caller has looked the name
    up and judged what it found; the certificate is always that of the name.

    Raises DeliveryError when there is none: unsure, once the request may have arrived.
    """
    assert url.hostname
    sent = False
    try:
        with closing(_connect(url, addresses or [url.hostname])) as connection:
            timer = threading.Timer(SECONDS, _cut, [connection.sock])
            timer.daemon = True
            timer.start()
            try:
                sent = True
                connection.request("POST", _target(url), body, dict(headers))
                answer = connection.getresponse()
                return Answer(answer.status, answer.read(LONGEST_ANSWER))
            finally:
                timer.cancel()
    except (OSError, http.client.HTTPException) as error:
        # Its words may hold the address; its name does not.
        raise DeliveryError(type(error).__name__, unsure=sent) from None


def _connect(url: SplitResult, addresses: Sequence[str]) -> http.client.HTTPConnection:
    assert url.hostname
    tls = url.scheme == "https"
    port = url.port or (443 if tls else 80)
    reached = _first_that_answers(addresses, port)
    try:
        if tls:
            context = ssl.create_default_context()
            reached = context.wrap_socket(reached, server_hostname=url.hostname)
    except BaseException:
        reached.close()
        raise
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(url.hostname, port, timeout=SECONDS)
    connection.sock = reached
    return connection


def _first_that_answers(addresses: Sequence[str], port: int) -> socket.socket:
    """A name may have an address of a kind that this machine has no way to."""
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), SECONDS / 2)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), SECONDS / 2)


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _cut(reached: socket.socket) -> None:
    try:
        reached.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it has ended by itself
