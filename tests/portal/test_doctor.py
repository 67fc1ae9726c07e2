"""`manage.py doctor`: each complaint, and silence when all is well."""

import io
import json
import socket
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from portal import audit, clock, health, heartbeats
from portal.audit import anchors
from portal.caller import SYSTEM
from portal.doctor import database, examination, neighbours, surroundings
from portal.models import AuditEvent
from portal.outbox.enqueue import enqueue, message
from tests.conftest import person
from tests.portal.live.conftest import valkey  # noqa: F401


def now():
    return timezone.now()


def complaints(check) -> dict[str, str]:
    return {found.what: found.why for found in check(now()) if found.fails}


def notes(check) -> set[str]:
    return {found.what for found in check(now()) if not found.is_well and found.advised}


@pytest.fixture
def healthy(on_stage, valkey, settings, tmp_path):  # noqa: F811
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "staticfiles.json").touch()
    settings.VAR_DIR = tmp_path
    heartbeats.mark(kind="worker", name="a", now=now())
    heartbeats.mark(kind="beat", name="a", now=now())


def doctor(*options):
    said = io.StringIO()
    call_command("doctor", *options, stdout=said)
    return said.getvalue()


def test_a_healthy_deployment_passes(healthy):
    assert "Nothing fails." in doctor()
    found = [json.loads(line) for line in doctor("--json").splitlines()]
    assert len(found) > 15
    assert not any(one["fails"] for one in found)


def test_a_failure_says_what_why_and_how_and_exits_1(healthy, settings):
    Path(settings.STATIC_ROOT, "staticfiles.json").unlink()
    said = io.StringIO()
    with pytest.raises(CommandError, match="1 failed"):
        call_command("doctor", stdout=said)
    assert " FAIL   static files: There is no staticfiles.json" in said.getvalue()
    assert "→ Run manage.py collectstatic" in said.getvalue()


@pytest.mark.parametrize("finding", ["what", "why", "fix"])
def test_every_complaint_has_a_cure(db, settings, finding):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    bad = [found for found in examination.examine(now=now()) if not found.is_well]
    assert bad
    assert all(getattr(found, finding) for found in bad)


# --- The database -----------------------------------------------------------------------------------


def test_a_missing_migration_is_named_and_ends_the_examination(db, monkeypatch):
    monkeypatch.setattr(health, "unapplied", lambda: ["sls.0099_later"])
    assert "sls.0099_later" in complaints(database.migrated)["migrations"]
    assert "audit chain" not in [found.what for found in examination.examine(now=now())]


def test_clocks_apart_are_a_complaint(db, monkeypatch):
    assert complaints(database.clocks) == {}
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr(clock.timezone, "now", lambda: later)
    assert complaints(database.clocks) == {"clocks": "Ours and the database's are 7200 s apart."}


def test_values_under_an_unknown_key_are_a_complaint(on_stage, settings):
    assert complaints(database.opens) == {}
    settings.VAULT_KEYS = "n2:" + "fedcba9876543210" * 4
    (why,) = complaints(database.opens).values()
    assert "sls.SecurityDevice.secret" in why


def test_a_message_long_due_is_a_complaint(on_stage):
    old = now() - timedelta(minutes=10)
    letter = message(user=person("owner"), event="share_withdrawn", fact="x", now=old, a="b")
    enqueue([letter])
    (why,) = complaints(database.outbox).values()
    assert "60" in why


def test_a_broken_audit_tail_is_a_complaint(db):
    for _ in range(3):
        audit.record(event="test.done", by=SYSTEM, subject=None, at=now())
    assert complaints(database.audit_tail) == {}
    AuditEvent.objects.filter(number=2).update(event="test.undone")
    assert "row 2" in complaints(database.audit_tail)["audit chain"]


def test_a_chain_behind_its_anchor_is_a_complaint(db):
    for _ in range(3):
        audit.record(event="test.done", by=SYSTEM, subject=None, at=now())
    anchors.write(now=now())
    assert complaints(database.anchored) == {}
    AuditEvent.objects.filter(number=3).delete()
    (found,) = database.anchored(now())
    assert "rows 3 to 3 are cut off" in found.why
    assert "After a restore" in found.fix


@pytest.mark.parametrize("number", [2])
def test_a_gap_in_the_audit_tail_is_a_complaint(db, number):
    for _ in range(3):
        audit.record(event="test.done", by=SYSTEM, subject=None, at=now())
    AuditEvent.objects.filter(number=number).delete()
    assert "audit chain" in complaints(database.audit_tail)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="of postgresql")
def test_postgresql_without_time_outs_is_a_complaint(db):
    assert complaints(database.reachable) == {}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")
    assert set(complaints(database.reachable)) == {"time-outs"}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of sqlite")
def test_sqlite_without_a_busy_time_out_is_a_complaint(db):
    assert complaints(database.reachable) == {}
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            assert set(complaints(database.reachable)) == {"busy time-out of SQLite"}
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {before}")


def test_a_database_that_is_away_is_the_last_finding(db, monkeypatch):
    def away(*args):
        raise database.DatabaseError("connection refused")

    with monkeypatch.context() as patched:
        patched.setattr(database.connection, "cursor", away)
        *_others, last = examination.examine(now=now())
    assert last.what == "database"
    assert "connection refused" in last.why


# --- Services ---------------------------------------------------------------------------------------


def test_a_broker_that_forgets_is_a_complaint(db, valkey):  # noqa: F811
    import redis

    assert complaints(neighbours.reachable) == {}
    redis.Redis.from_url(valkey.url).config_set("maxmemory-policy", "allkeys-lru")
    assert set(complaints(neighbours.reachable)) == {"memory policy of the broker"}


def test_a_broker_that_is_away_is_a_complaint(db, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert set(complaints(neighbours.reachable)) == {"broker"}


def test_processes_not_seen_lately_are_complaints(db):
    assert set(complaints(neighbours.at_work)) == {"worker", "beat"}
    missing = [found.fix for found in neighbours.at_work(now()) if found.fails]
    assert all("last half minute, look again" in fix for fix in missing)
    heartbeats.mark(kind="worker", name="a", now=now())
    heartbeats.mark(kind="beat", name="a", now=now() - heartbeats.STALE * 2)
    assert set(complaints(neighbours.at_work)) == {"beat"}


def test_two_beats_are_worth_a_note(db):
    for name in ("a", "b"):
        heartbeats.mark(kind="beat", name=name, now=now())
    assert "number of beats" in notes(neighbours.at_work)


def test_gateways_that_cannot_be_reached_are_complaints(db, settings):
    settings.MESSAGE_CHANNELS = {
        "email": "portal.outbox.channels.email",
        "sms": "portal.outbox.channels.sms",
        "push": "portal.outbox.channels.webpush",
    }
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    settings.SMS_PROVIDERS = {
        name: f"twilio+http://sid:token@127.0.0.1:{port}/?from=+15005550006"
        for name, port in (("main", 1), ("second", 2))
    }
    gateways = {"e-mail gateway", "SMS gateway main", "SMS gateway second"}
    assert set(complaints(neighbours.gateways)) == gateways
    assert "token" not in str(complaints(neighbours.gateways))


def test_one_dead_sms_gateway_of_two_is_worth_a_note(db, settings):
    settings.MESSAGE_CHANNELS = {"email": "x.folder", "sms": "portal.outbox.channels.sms"}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.SMS_PROVIDERS = {
            name: f"twilio+http://sid:token@127.0.0.1:{port}/?from=+15005550006"
            for name, port in (("main", 1), ("second", listening.getsockname()[1]))
        }
        assert complaints(neighbours.gateways) == {}
        assert "SMS gateway main" in notes(neighbours.gateways)


def test_no_sms_gateway_is_worth_a_note(db, settings):
    settings.MESSAGE_CHANNELS = {"email": "x.folder", "sms": "portal.outbox.channels.sms"}
    settings.SMS_PROVIDERS = {}
    assert "SMS gateway" in notes(neighbours.gateways)
    settings.SMS_PROVIDERS = {"main": "folder://sid:token@host/?from=+15005550006"}
    assert "SMS gateway" not in notes(neighbours.gateways)


def test_the_usual_channels_are_those_that_are_looked_at():
    """Or a gateway would be passed over in silence."""
    for channel in ("email", "sms"):
        assert import_module(f"portal.outbox.channels.{channel}")


def test_a_gateway_that_answers_is_well(db, settings):
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Sink

    controller = Controller(Sink(), hostname="127.0.0.1", port=0)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        controller.port = probe.getsockname()[1]
    controller.start()
    try:
        settings.MESSAGE_CHANNELS = {"email": "x.email", "sms": "x.folder"}
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
        assert complaints(neighbours.gateways) == {}
    finally:
        controller.stop()


# --- Surroundings -----------------------------------------------------------------------------------


def test_plain_http_on_a_public_host_is_a_complaint(settings):
    settings.DEMO_MODE = settings.TLS = settings.IS_LOCAL = False
    assert set(complaints(surroundings.mode)) == {"address", "proxy"}


def test_a_disk_without_room_is_a_complaint(settings, monkeypatch, tmp_path):
    from types import SimpleNamespace

    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda _: SimpleNamespace(free=1024))
    assert "disk" in complaints(surroundings.files)


def test_secrets_that_others_may_read_are_a_complaint(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    kept = tmp_path / "secret_key.txt"
    kept.touch(mode=0o600)
    assert "secrets on disk" not in complaints(surroundings.files)
    kept.chmod(0o644)
    assert "secret_key.txt" in complaints(surroundings.files)["secrets on disk"]


def test_the_demo_is_a_note_and_no_failure(settings):
    settings.DEMO_MODE = True
    assert "mode" in notes(surroundings.mode)
    assert complaints(surroundings.mode) == {}
