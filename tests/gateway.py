"""A gateway on loopback that takes requests and answers, or fails to, as told."""

import json
import socket
import threading
from collections.abc import Callable
from contextlib import closing, suppress


class Gateway:
    """A server that reads one request a connection, keeps it, and answers with these very bytes."""

    def __init__(self) -> None:
        self.answer: bytes | Callable[[socket.socket], object] = b""
        self.got: list[bytes] = []
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
        with closing(connection):
            got = b""
            while b"\r\n\r\n" not in got or len(got.partition(b"\r\n\r\n")[2]) < _length(got):
                if not (part := connection.recv(65536)):
                    return  # who asked has died meanwhile
                got += part
            self.got.append(got)
            try:
                if callable(self.answer):
                    self.answer(connection)
                else:
                    connection.sendall(self.answer)
            except OSError:
                pass  # the channel has had enough

    def says(self, status: int, body: bytes | dict, *headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", *headers, "", ""]
        self.answer = "\r\n".join(head).encode() + raw

    def stop(self) -> None:
        self.closed.set()
        with suppress(OSError):  # stopped already
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.listener.close()


def _length(raw: bytes) -> int:
    head = raw.partition(b"\r\n\r\n")[0].lower()
    return next(int(v.split(b":")[1]) for v in head.split(b"\r\n") if v.startswith(b"content-len"))
