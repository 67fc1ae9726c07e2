"""`manage.py backup`: whole, of one moment, ours alone, and on record."""

import shutil
import sqlite3
import subprocess
from contextlib import closing

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from portal import backup
from portal.models import AuditEvent, User

pytestmark = pytest.mark.usefixtures("on_stage")
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="of sqlite")


@on_sqlite
def test_a_copy_of_sqlite_is_a_whole_database_of_one_file(transactional_db, tmp_path):
    target = tmp_path / "copy.sqlite3"
    call_command("backup", str(target))
    assert [path.name for path in tmp_path.iterdir()] == ["copy.sqlite3"]
    assert target.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (users,) = copy.execute("SELECT count(*) FROM portal_user").fetchone()
    assert users == User.objects.count() > 5
    row = AuditEvent.objects.order_by("-number").first()
    assert (row.event, row.facts) == ("portal.backup.made", {"file": "copy.sqlite3"})


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of postgresql")
def test_a_copy_of_postgresql_is_what_pg_restore_reads(transactional_db, tmp_path, settings):
    if not shutil.which("pg_dump"):
        pytest.skip("pg_dump is not here")
    target = tmp_path / "copy.dump"
    call_command("backup", str(target))
    listed = subprocess.run(["pg_restore", "--list", target], capture_output=True, text=True)
    assert "TABLE DATA public portal_user" in listed.stdout
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_copy_never_replaces_another(tmp_path):
    target = tmp_path / "copy"
    target.write_text("precious")
    with pytest.raises(CommandError, match="exists"):
        call_command("backup", str(target))
    assert target.read_text() == "precious"


def test_a_copy_that_cannot_be_put_on_record_is_none(tmp_path, monkeypatch):
    def breaks(*args, **kwargs):
        raise DatabaseError("the audit trail takes nothing")

    monkeypatch.setattr(backup, "_copy_sqlite", lambda scratch: None)
    monkeypatch.setattr(backup, "_dump_postgresql", lambda scratch: None)
    monkeypatch.setattr(backup, "record", breaks)
    with pytest.raises(DatabaseError):
        call_command("backup", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def breaks(scratch):
        scratch.write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(backup, "_copy_sqlite", breaks)
    monkeypatch.setattr(backup, "_dump_postgresql", breaks)
    with pytest.raises(CommandError, match="No space left"):
        call_command("backup", str(tmp_path / "copy"))
    assert list(tmp_path.iterdir()) == []
    assert not AuditEvent.objects.filter(event="portal.backup.made").exists()


def test_without_pg_dump_it_is_said_how(tmp_path, monkeypatch):
    monkeypatch.setattr(backup.shutil, "which", lambda name: None)
    with pytest.raises(backup.BackupError, match="pg_dump --format=custom"):
        backup._dump_postgresql(tmp_path / "copy")
