"""A peer's own environment: made by pip at the first use, kept below `var/`, and orders to its processes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import django

from bench.stage import ROOT

from .catalog import Peer

FOLDER = ROOT / "var" / "bench-peers"
# The product's own version of Django, so that the packages are compared and not the frameworks.
DJANGO = f"django=={django.__version__}"
SERVED_BY = ("uvicorn[standard]", "a2wsgi", "psycopg[binary]", "django-environ")
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LONGEST = 600  # seconds


class NotInstalled(Exception):
    """The message says what stopped it."""


@dataclass(frozen=True)
class Installed:
    peer: Peer
    python: str
    environment: dict[str, str]

    def order(self, **words: Any) -> Any:
        said = subprocess.run(
            [self.python, "-m", "bench.peers.people", json.dumps(words)],
            env=os.environ | self.environment,
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        return json.loads(said)


def install(peer: Peer, database_url: str, templates: str) -> Installed:
    """Raises NotInstalled."""
    environment = {
        "DJANGO_SETTINGS_MODULE": f"bench.peers.{peer.name}.settings",
        "PEER": peer.name,
        "PEER_DATABASE_URL": database_url,
        "PEER_TEMPLATES": templates,
    }
    return Installed(peer, _python(peer), environment)


def _python(peer: Peer) -> str:
    """The interpreter of the peer's environment, which is made anew when something else is wanted in it."""
    folder = FOLDER / peer.name
    python = str(folder / "bin" / "python")
    packages = (DJANGO, peer.distribution + peer.extras, *SERVED_BY)
    wanted = "\n".join((sys.version, *packages))
    mark = folder / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(python, *PIP, *packages)
        mark.write_text(wanted)
    return python


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST, check=False, cwd=ROOT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if done.returncode:
        raise NotInstalled((done.stderr.strip().splitlines() or ["no reason given"])[-1])
