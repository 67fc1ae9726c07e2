"""
Message centres that speak SMPP, on loopback: npm's `smpp` in a process of its own, and one that fails as told.
"""

import json
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests import postgresql

HERE = Path(__file__).parent
RESPONSE = 0x8000_0000
BIND, SUBMIT, UNBIND, ENQUIRE = 0x02, 0x04, 0x06, 0x15


class Process:
    """What the real centre took, in its order."""

    def __init__(self, system_id: str, password: str) -> None:
        command = ["node", str(HERE / "server.mjs"), system_id, password]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = self._told()["port"]

    def taken(self) -> list[dict[str, Any]]:
        """What was submitted since the last call, when who did so has left."""
        found = []
        while "left" not in (told := self._told()):
            found.append(told)
        return found

    def _told(self) -> dict[str, Any]:
        """The next line."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the message centre has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate()


@contextmanager
def real(system_id: str, password: str) -> Iterator[Process]:
    """Skips where Node.js or its package is missing; fails in CI."""
    if not shutil.which("node") or not (HERE / "node_modules" / "smpp").is_dir():
        say = pytest.fail if postgresql.in_ci() else pytest.skip
        say("no message centre: npm ci --prefix tests/smsc")
    centre = Process(system_id, password)
    try:
        yield centre
    finally:
        centre.stop()


Answer = (
    int | bytes | None
)  # a status; these very bytes; silence. The centre hangs up after the last one.


class Broken:
    """Answers each question of a connection as told, and keeps what it got: (command, sequence, body)."""

    def __init__(self) -> None:
        self.answers: Sequence[Answer] = ()
        self.got: list[tuple[int, int, bytes]] = []
        self.closed = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with closing(connection), suppress(OSError):
            for answer in self.answers:
                head = connection.recv(16, socket.MSG_WAITALL)
                if len(head) < 16:
                    return
                length, command, _status, sequence = struct.unpack(">4L", head)
                body = connection.recv(length - 16, socket.MSG_WAITALL)
                self.got.append((command, sequence, body))
                if answer is None:
                    self.closed.wait(20)
                elif isinstance(answer, bytes):
                    connection.sendall(answer)
                else:
                    connection.sendall(pdu(command | RESPONSE, answer, sequence))

    def stop(self) -> None:
        self.closed.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.listener.close()


def pdu(command: int, status: int, sequence: int) -> bytes:
    """With an id in the answer to what was taken."""
    body = b"m-7\0" if command == SUBMIT | RESPONSE and not status else b""
    return struct.pack(">4L", 16 + len(body), command, status, sequence) + body
