"""Seconds from `manage.py serve`, with nothing configured, to the first answer of /health/ready/."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.options import Options
from bench.report import Row, at_most
from bench.server import free_port, wait_for
from bench.stage import ROOT, Stage

MOST_SECONDS = 5


def run(where: Stage, options: Options) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="bench-start-"))
    try:
        return [
            at_most(
                f"{which} start of `manage.py serve`",
                _seconds(where, folder),
                MOST_SECONDS,
                " s",
                1,
            )
            for which in ("first", "second")
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _seconds(where: Stage, folder: Path) -> float:
    environment = {name: value for name, value in os.environ.items() if name not in where.product}
    environment["VAR_DIR"] = str(folder)
    port = free_port()
    command = [sys.executable, "manage.py", "serve", "--bind", f"127.0.0.1:{port}"]
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health/ready/", process)
        return time.monotonic() - start
    finally:
        process.terminate()
        process.wait()
