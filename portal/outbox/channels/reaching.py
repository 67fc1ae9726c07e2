"""
A connection to a gateway, bounded in time.

A time limit on the socket counts from byte to byte, and a gateway that sends one byte now and then would
hold the worker for hours; so a timer ends the whole exchange.
"""

import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

SECONDS = 10.0


@contextmanager
def reach(
    host: str, port: int, *, tls: bool, addresses: Sequence[str] = ()
) -> Iterator[socket.socket]:
    """
    Connected for `SECONDS` at most. `addresses` are the IP addresses to try, when the caller has looked the
    name up and judged what it found; the certificate is always that of the name. Raises OSError.
    """
    with closing(_connected(host, port, tls=tls, addresses=addresses or [host])) as reached:
        timer = threading.Timer(SECONDS, _cut, [reached])
        timer.daemon = True
        timer.start()
        try:
            yield reached
        finally:
            timer.cancel()


def _connected(host: str, port: int, *, tls: bool, addresses: Sequence[str]) -> socket.socket:
    reached = _first_that_answers(addresses, port)
    if not tls:
        return reached
    try:
        return ssl.create_default_context().wrap_socket(reached, server_hostname=host)
    except BaseException:
        reached.close()
        raise


def _first_that_answers(addresses: Sequence[str], port: int) -> socket.socket:
    """A name may have an address of a kind that this machine has no way to."""
    for address in addresses[:-1]:
        try:
            return socket.create_connection((address, port), SECONDS / 2)
        except OSError:
            continue
    return socket.create_connection((addresses[-1], port), SECONDS / 2)


def _cut(reached: socket.socket) -> None:
    """
    Who reads meets the end of the answer. Only this side: when the other one is shut as well, Linux answers what
    still comes with a reset, and an answer that was read already would be lost with it.
    """
    try:
        reached.shutdown(socket.SHUT_RD)
    except OSError:
        pass  # it has ended by itself
