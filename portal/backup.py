"""A copy of the database, complete and of one moment, while the portal runs."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from portal import audit, events
from portal.caller import SYSTEM

PAGES = 2000  # copied at once; between two portions others may write


class BackupError(Exception):
    """There is no copy; the message says why."""


def make(target: Path, *, now: datetime) -> None:
    """
    Copy the database to the new file `target`, which only we can read. The file is there when it is whole,
    and on record, or not at all. Raises BackupError.
    """
    if target.exists():
        raise BackupError(f"{target} exists; a copy never replaces another.")
    copy = _copy_sqlite if connection.vendor == "sqlite" else _dump_postgresql
    with _scratch(target) as scratch:
        copy(scratch)
        record(target.name, now=now)


@transaction.atomic(durable=True)
def record(name: str, *, now: datetime) -> None:
    """A whole copy of the database left it: that belongs on record."""
    audit.record(event=events.BACKUP_MADE, by=SYSTEM, subject=None, at=now, file=name)


@contextmanager
def _scratch(target: Path) -> Iterator[Path]:
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.touch(mode=0o600, exist_ok=False)
        yield scratch
        os.link(scratch, target)
    except OSError as error:
        raise BackupError(str(error)) from error
    finally:
        scratch.unlink(missing_ok=True)


def _copy_sqlite(scratch: Path) -> None:
    """SQLite's own online backup: consistent, whatever is being written meanwhile."""
    connection.ensure_connection()
    with closing(sqlite3.connect(scratch)) as copy:
        connection.connection.backup(copy, pages=PAGES)
        (said,) = copy.execute("PRAGMA integrity_check").fetchone()
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, and nothing beside it
    if said != "ok":
        raise BackupError(f"the copy is damaged: {said}")


def _dump_postgresql(scratch: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupError(
            "pg_dump is not here. Where it is: pg_dump --format=custom --file=FILE DATABASE"
        )
    given = settings.DATABASES["default"]
    variables = {
        "PGHOST": given.get("HOST") or given.get("OPTIONS", {}).get("host", ""),
        "PGPORT": str(given.get("PORT") or ""),
        "PGUSER": given.get("USER") or "",
        "PGPASSWORD": given.get("PASSWORD") or "",  # not among the arguments, which everybody sees
        "PGDATABASE": str(connection.settings_dict["NAME"]),
    }
    environment = os.environ | {name: value for name, value in variables.items() if value}
    command = [program, "--format=custom", "--no-password", f"--file={scratch}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"pg_dump: {done.stderr.strip()}")
