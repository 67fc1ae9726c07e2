"""Requests per second of one page: `wrk`, or a few threads of our own where it is not installed."""

import http.client
import re
import shutil
import subprocess
import threading
import time

from .server import Server

CONNECTIONS = 8


def rate(server: Server, path: str, headers: dict[str, str], seconds: float) -> float:
    wrk = shutil.which("wrk")
    return (
        _wrk(wrk, server, path, headers, seconds) if wrk else _own(server, path, headers, seconds)
    )


def _wrk(wrk: str, server: Server, path: str, headers: dict[str, str], seconds: float) -> float:
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    said = subprocess.run(
        [*command, server.address + path], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"{path} did not answer every request:\n{said}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    assert found, said
    return float(found[1])


def _own(server: Server, path: str, headers: dict[str, str], seconds: float) -> float:
    counts = [0] * CONNECTIONS
    deadline = time.monotonic() + seconds

    def run(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        while time.monotonic() < deadline:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            assert response.status == 200, response.status
            counts[number] += 1
        connection.close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds
