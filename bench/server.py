"""One web server, the product's, the floor's or a peer's: the same uvicorn, a2wsgi, processes and threads."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from .stage import ROOT

PROCESSES = 2
THREADS = 4
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    port: int
    pid: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        """What the web processes have used so far."""
        ticks = 0
        for child in _children(self.pid):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serve(
    application: str,
    environment: dict[str, str],
    ready: str,
    *,
    python: str = sys.executable,
    log: Path | None = None,
) -> Iterator[Server]:
    port = free_port()
    command = [python, "-m", "uvicorn", application, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(PROCESSES), "--lifespan", "off"]
    command += ["--timeout-graceful-shutdown", "3", "--no-server-header", "--no-access-log"]
    command += ["--no-proxy-headers", "--log-level", "warning"]
    environment = os.environ | environment | {"WEB_THREADS": str(THREADS)}
    with log.open("ab") if log else nullcontext() as said:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=said)
    try:
        wait_for(f"http://127.0.0.1:{port}{ready}", process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not _answers(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{url} does not answer")
        time.sleep(0.01)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    """The web processes of a uvicorn supervisor (its resource tracker, which sleeps, among them)."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
