"""The database: reachable, new enough, migrated, patient, on time, and readable with our keys."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Q

from portal import clock, health, vault
from portal.audit import anchors
from portal.models import AuditEvent, OutboxMessage
from portal.outbox.delivery import overdue

from .finding import Finding

OVERDUE = timedelta(minutes=2)
OLDEST_POSTGRESQL = 140000
CONNECTIONS_USED = 0.8  # of what the server allows


def reachable(now: datetime) -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        yield Finding(
            "database",
            f"It does not answer: {str(error).strip().splitlines()[0]}",
            "Look whether it runs, and whether DATABASE_URL names it with the right user and password.",
        )
        return
    yield Finding("database")
    yield from (_postgresql if connection.vendor == "postgresql" else _sqlite)()


def _postgresql() -> Iterator[Finding]:
    version = connection.cursor().connection.info.server_version
    yield Finding(
        "version of PostgreSQL",
        "" if version >= OLDEST_POSTGRESQL else f"{version // 10000} is too old.",
        "Take PostgreSQL 14 or newer.",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), "
            "current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity), "
            "current_setting('synchronous_commit'), current_setting('fsync')"
        )
        lock, statement, most, used, commit, fsync = cursor.fetchone()
    is_patient = "0" in (lock, statement)
    yield Finding(
        "time-outs",
        "A lock or a statement may be waited for without end." if is_patient else "",
        "Leave LOCK_SECONDS and STATEMENT_SECONDS at their defaults; a pooler must let options through.",
    )
    yield Finding(
        "connections",
        f"{used} of {most} are in use." if used > CONNECTIONS_USED * most else "",
        "Raise max_connections, or lower WEB_THREADS, --workers or --concurrency: docs/operations.md, Database.",
    )
    yield Finding(
        "durability",
        "" if (commit, fsync) != ("off", "off") and fsync == "on" else "fsync is off.",
        "Set fsync = on: without it a crash may lose what was promised.",
        advised=settings.DEMO_MODE,
    )


def _sqlite() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
        wait = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    yield Finding(
        "journal of SQLite",
        ""
        if mode in ("wal", "memory")
        else f"It is {mode}; readers and writers wait for each other.",
        "Put the file on a local disk, and let the portal set WAL.",
    )
    yield Finding(
        "busy time-out of SQLite",
        "" if wait > 0 else "Whoever comes second fails at once.",
        "Leave LOCK_SECONDS at its default.",
    )
    yield Finding(
        "kind of database",
        "" if settings.DEMO_MODE else "SQLite serves one machine.",
        "Take PostgreSQL before there is a second machine.",
        advised=True,
    )


def migrated(now: datetime) -> Iterator[Finding]:
    missing = health.unapplied()
    yield Finding(
        "migrations",
        f"{len(missing)} are missing, the first is {missing[0]}." if missing else "",
        "Run manage.py migrate before the new processes start.",
    )


def clocks(now: datetime) -> Iterator[Finding]:
    apart = clock.ahead()
    yield Finding(
        "clocks",
        f"Ours and the database's are {abs(apart.total_seconds()):.0f} s apart."
        if clock.are_apart(apart)
        else "",
        "Let a time service (NTP) set the clock of every machine.",
    )


def opens(now: datetime) -> Iterator[Finding]:
    """The newest and the oldest row of every sealed column opens, and no row has a key we do not know."""
    known = vault.parse_keys(settings.VAULT_KEYS)
    broken = []
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if not isinstance(field, vault.SealedField):
                continue
            filled = model._base_manager.exclude(**{field.attname: ""})
            ours = Q(*((f"{field.attname}__startswith", f"1.{k}.") for k in known), _connector=Q.OR)
            first, last = filled.order_by("pk").first(), filled.order_by("-pk").first()
            try:
                for row in (first, last):
                    if row is not None:
                        field.open_from(row)
                if filled.exclude(ours).exists():
                    raise vault.VaultError
            except vault.VaultError:
                broken.append(f"{model._meta.label}.{field.attname}")
    yield Finding(
        "sealing keys",
        f"Values of {', '.join(broken)} do not open." if broken else "",
        "Put the key with which they were sealed back into VAULT_KEYS, behind the newest; then run rotate_secrets.",
    )


def outbox(now: datetime) -> Iterator[Finding]:
    late = overdue(now=now - OVERDUE, at_most=1)
    oldest = OutboxMessage.objects.filter(pk__in=late).first()
    age = now - oldest.created_at if oldest else timedelta(0)
    yield Finding(
        "messages",
        f"One has been due for minutes; it is {int(age.total_seconds())} s old." if oldest else "",
        "Look at the worker, beat and the gateways below; the message says itself what the last answer was.",
    )


def audit_tail(now: datetime) -> Iterator[Finding]:
    """The newest thousand rows; verify_audit reads all of them."""
    from portal.audit import content_hash

    rows = list(AuditEvent.objects.order_by("-number")[:1000])
    newer = [*rows[:1], *rows]
    broken = [
        row.number
        for after, row in zip(newer, rows, strict=False)
        if row.hash != content_hash(row)
        or (after is not row and (after.previous_hash, after.number) != (row.hash, row.number + 1))
    ]
    yield Finding(
        "audit chain",
        f"It does not hold at row {broken[-1]}." if broken else "",
        "Stop, keep a copy, and compare with a backup: manage.py verify_audit names the first bad row.",
    )


def anchored(now: datetime) -> Iterator[Finding]:
    """The chain still holds the row that this machine anchored last."""
    try:
        anchors.check()
    except anchors.AnchorError as error:
        yield Finding("audit anchors", f"No anchor is written: {error}.", error.cure)
    else:
        yield Finding("audit anchors")
