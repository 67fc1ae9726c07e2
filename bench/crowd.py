"""
A crowd of any size around the people who are measured, made by the database itself: a prototype pair, one
with a device which the other borrows, is multiplied; every fifth pair has a request waiting.
"""

from collections.abc import Mapping

import psycopg
from django.db import connection, models
from psycopg import sql

from bench import people
from portal.models import AuditEvent, Entity, User
from sls.models import Challenge, DeviceGrant, SecurityDevice, ShareRequest, ShareState

PROTOTYPE = "prototype"
PENDING_EVERY = 5
FIRST_USER = 1_000_000


def prototype() -> None:
    """The pair which is multiplied, in the product's own database."""
    entity = people.entities(1)[0]
    owner, borrower = people.users([f"{PROTOTYPE}-0", f"{PROTOTYPE}-1"], [entity] * 2, "!")
    device = people.dsc(b"k" * 32)  # nobody answers with it: its copies are sealed for another row
    device.save(force_insert=True)
    people.own(owner, device).save()
    people.lend(owner, [device], [borrower])
    connection.close()


def fill(url: str, size: int) -> None:
    """Up to `size` users in pairs into the database at `url`, which has the prototype."""
    with psycopg.connect(url, autocommit=True) as database:
        pairs = size // 2
        in_force = f"n % {PENDING_EVERY} <> 0"
        pending = f"n % {PENDING_EVERY} = 0"
        device, owner, borrower = "md5('d' || n)::uuid", _user("n"), _user("n + 500000")
        entity, challenge, share = (f"md5('{kind}' || n)::uuid" for kind in "ecs")
        _multiply(
            database,
            Entity,
            pairs,
            {"id": entity, "document_number_sealed": "''", "document_number_index": "'b:' || n"},
        )
        for name, number in (("a", owner), ("b", borrower)):
            columns = {"id": number, "username": f"'{name}' || n", "entity_id": entity}
            _multiply(database, User, pairs, columns, f"username = '{PROTOTYPE}-0'")
        _multiply(database, SecurityDevice, pairs, {"id": device, "serial": "'D-' || n"}, "TRUE")
        asked = {"id": challenge, "user_id": borrower, "device_id": device}
        _multiply(
            database, Challenge, pairs, {**asked, "question": "lpad((n % 1000000)::text, 6, '0')"}
        )
        shared = {"id": share, "requester_id": borrower, "owner_id": owner, "device_id": device}
        shared["challenge_id"] = challenge
        _multiply(database, ShareRequest, pairs, shared, where_n=in_force)
        waiting = {
            "state": f"'{ShareState.PENDING}'",
            "reasons": "'[\"other_entity\"]'::jsonb",
            "reviewers": "2",
            "approved_at": "NULL",
            "enforced_at": "NULL",
            "submitted_at": "now() - n * interval '1 second'",
        }
        _multiply(database, ShareRequest, pairs, shared | waiting, where_n=pending)
        granted = {"user_id": owner, "device_id": device}
        _multiply(database, DeviceGrant, pairs, granted, "share_id IS NULL")
        lent = {"user_id": borrower, "device_id": device, "share_id": share}
        _multiply(database, DeviceGrant, pairs, lent, "share_id IS NOT NULL", where_n=in_force)
        asked_for = lent | {"state": "'pending'", "confirmed": "FALSE"}
        _multiply(database, DeviceGrant, pairs, asked_for, "share_id IS NOT NULL", where_n=pending)
        _history(database, size)
        database.execute("VACUUM ANALYZE")


def _user(number: str) -> str:
    return f"{FIRST_USER} + {number}"


def _multiply(
    database: psycopg.Connection[tuple[object, ...]],
    model: type[models.Model],
    count: int,
    columns: Mapping[str, str],
    which: str = "TRUE",
    *,
    where_n: str = "TRUE",
) -> None:
    """`count` copies of the prototype's row of `model`, numbered n, with `columns` as SQL of n."""
    names = [
        f.column
        for f in model._meta.local_concrete_fields
        if f.column in columns or not f.primary_key
    ]
    values = [columns.get(name, f'p."{name}"') for name in names]
    listed = ", ".join(f'"{name}"' for name in names)
    of_prototype = PROTOTYPES[model._meta.model_name or ""]
    statement = (
        f'INSERT INTO "{model._meta.db_table}" ({listed}) SELECT {", ".join(values)}'
        f' FROM (SELECT * FROM "{model._meta.db_table}" WHERE {which} AND {of_prototype} LIMIT 1) p,'
        f" generate_series(1, {count}) n WHERE {where_n}"
    )
    database.execute(sql.SQL(statement))  # type: ignore[arg-type]


_USERS = f"(SELECT id FROM portal_user WHERE username LIKE '{PROTOTYPE}-%')"
_DEVICES = f"(SELECT device_id FROM sls_devicegrant WHERE user_id IN {_USERS})"
PROTOTYPES = {
    "entity": f"id IN (SELECT entity_id FROM portal_user WHERE username LIKE '{PROTOTYPE}-%')",
    "user": "TRUE",
    "securitydevice": f"id IN {_DEVICES}",
    "challenge": f"device_id IN {_DEVICES}",
    "sharerequest": f"device_id IN {_DEVICES}",
    "devicegrant": f"user_id IN {_USERS}",
}


def _history(database: psycopg.Connection[tuple[object, ...]], size: int) -> None:
    """One audit row for each user; nobody verifies this chain."""
    table = AuditEvent._meta.db_table
    database.execute(
        sql.SQL(  # type: ignore[arg-type]
            f"INSERT INTO {table} (number, at, event, actor, subject, address, request_id, facts,"
            " previous_hash, hash)"
            f" SELECT t.number + n, now(), 'sls.login.completed', 'a' || n, 'a' || n, '192.0.2.1', '',"
            " '{}'::jsonb, md5('h' || n - 1) || md5(n::text), md5('h' || n) || md5(n::text)"
            f" FROM (SELECT coalesce(max(number), 0) AS number FROM {table}) t,"
            f" generate_series(1, {size}) n"
        )
    )
