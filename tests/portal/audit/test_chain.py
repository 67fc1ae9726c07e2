"""The append-only, hash-chained record: abuse-cases.md F 131."""

from datetime import datetime, timedelta, timezone
from importlib import import_module

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from portal import audit
from portal.caller import SYSTEM, Caller
from portal.errors import Reason, Refused
from portal.models import AuditEvent, User
from tests.conftest import NOW

EVENTS = 7


class Nope(Reason):
    NO = ("no_way", "No way", "It is not allowed.", "Do something else.")


@pytest.fixture
def chain(db):
    """Seven rows of an unbroken chain."""
    for number in range(EVENTS):
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW, step=number)


def rows():
    return AuditEvent.objects.order_by("number")


def broken():
    return list(audit.broken_rows())


def test_an_empty_chain_holds(db):
    assert broken() == []


def test_a_row_says_who_did_what_to_whom_from_where_and_when(db):
    actor, subject = User(username="ada.quill"), User(username="mei.lantern")
    by = Caller(user=actor, address="2001:db8::7", request_id="a-request")
    audit.record(event="test.done", by=by, subject=subject, at=NOW, purpose="login", count=2)
    row = rows().get()
    assert (row.number, row.event, row.actor, row.subject) == (
        1,
        "test.done",
        "ada.quill",
        "mei.lantern",
    )
    assert (row.address, row.request_id, row.at) == ("2001:db8::7", "a-request", NOW)
    assert row.facts == {"purpose": "login", "count": 2}
    assert row.previous_hash == audit.GENESIS
    assert row.hash == audit.content_hash(row)


def test_rows_are_numbered_without_gaps_and_each_names_the_hash_before_it(chain):
    stored = list(rows())
    assert [row.number for row in stored] == list(range(1, EVENTS + 1))
    assert [row.previous_hash for row in stored[1:]] == [row.hash for row in stored[:-1]]
    assert broken() == []


def test_the_hash_does_not_depend_on_the_time_zone_in_which_a_time_is_written(chain):
    row = rows().first()
    before = audit.content_hash(row)
    row.at = row.at.astimezone(timezone(timedelta(hours=8)))
    assert audit.content_hash(row) == before


@pytest.mark.parametrize(
    "columns",
    [
        {"at": NOW + timedelta(microseconds=1)},
        {"event": "test.undone"},
        {"actor": "somebody"},
        {"subject": "somebody"},
        {"address": "192.0.2.1"},
        {"request_id": "another"},
        {"facts": {"step": "0"}},
    ],
    ids=lambda columns: next(iter(columns)),
)
@pytest.mark.parametrize("number", [1, 4, EVENTS], ids=["first", "middle", "last"])
def test_an_altered_column_is_found_where_it_stands(chain, number, columns):
    rows().filter(number=number).update(**columns)
    assert broken() == [(number, "was altered")]


@pytest.mark.parametrize("number", [1, 4], ids=["first", "middle"])
def test_a_forged_hash_breaks_the_row_after_it(chain, number):
    row = rows().get(number=number)
    row.event = "test.forged"
    rows().filter(number=number).update(event=row.event, hash=audit.content_hash(row))
    assert broken() == [(number + 1, "does not follow the row before it")]


@pytest.mark.parametrize(
    ("gone", "found"),
    [([1], (2, "rows 1 to 1 are missing")), ([3, 4, 5], (6, "rows 3 to 5 are missing"))],
    ids=["first", "middle"],
)
def test_deleted_rows_are_found(chain, gone, found):
    rows().filter(number__in=gone).delete()
    assert broken() == [found]


def test_a_deleted_row_is_found_although_the_later_ones_moved_up(chain):
    rows().filter(number=3).delete()
    for number in range(4, EVENTS + 1):
        rows().filter(number=number).update(number=number - 1)
    assert (3, "does not follow the row before it") in broken()
    assert (3, "was altered") in broken()


def test_an_inserted_row_is_found(chain):
    forged = AuditEvent(
        number=EVENTS + 1, at=NOW, event="test.forged", facts={}, previous_hash="f" * 64
    )
    forged.hash = audit.content_hash(forged)
    forged.save(force_insert=True)
    assert broken() == [(EVENTS + 1, "does not follow the row before it")]


def test_swapped_rows_are_found(chain):
    second, third = rows().get(number=2), rows().get(number=3)
    rows().filter(number=2).update(facts=third.facts)
    rows().filter(number=3).update(facts=second.facts)
    assert [number for number, _what in broken()] == [2, 3]


def test_two_rows_cannot_follow_the_same_one(chain):
    tail = rows().last()
    twin = AuditEvent(number=99, at=NOW, event="x", previous_hash=tail.previous_hash, hash="h")
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save(force_insert=True)


@pytest.fixture
def triggers(db):
    """The triggers of the migration, which the tests' set-up takes away on SQLite."""
    if connection.vendor == "sqlite":
        migration = import_module("portal.migrations.0002_audit_is_append_only")
        with connection.cursor() as cursor:
            for statement in migration.SQLITE:
                cursor.execute(statement)
    yield
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for statement in migration.UNDO["sqlite"]:
                cursor.execute(statement)


def test_the_database_refuses_to_change_a_row(chain, triggers):
    with pytest.raises(DatabaseError, match="audit rows are never changed"), transaction.atomic():
        rows().filter(number=1).update(event="test.undone")
    assert rows().first().event == "test.done"


def test_the_database_refuses_to_delete_a_row(chain, triggers):
    with pytest.raises(DatabaseError, match=r"never (changed or )?deleted"), transaction.atomic():
        rows().filter(number=EVENTS).delete()
    assert rows().count() == EVENTS


def test_postgresql_refuses_to_empty_the_table(chain, triggers):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite knows no TRUNCATE")
    with (
        pytest.raises(DatabaseError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE portal_auditevent")
    assert rows().count() == EVENTS


def test_the_database_still_lets_rows_be_appended(chain, triggers):
    audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
    assert rows().count() == EVENTS + 1


@pytest.mark.django_db(transaction=True)
def test_record_needs_the_transaction_of_its_decision():
    with pytest.raises(AssertionError):
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
    assert not rows().exists()


@pytest.mark.django_db(transaction=True)
def test_a_row_goes_with_the_transaction_that_wrote_it():
    with transaction.atomic():
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
        transaction.set_rollback(True)
    assert not rows().exists()
    with transaction.atomic():
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
    assert rows().get().number == 1


def test_a_refusal_is_recorded_with_its_code_and_facts_and_passes_on(db):
    with (
        pytest.raises(Refused) as refused,
        audit.refusals(event="test.done", by=SYSTEM, subject=None, at=NOW, share="7"),
    ):
        raise Refused(Nope.NO, level=3)
    assert refused.value.reason is Nope.NO
    assert rows().get().facts == {"share": "7", "refused": "no_way", "level": 3}


def test_what_is_no_refusal_is_not_recorded_as_one(db):
    with (
        pytest.raises(ValueError, match="broken"),
        audit.refusals(event="test.done", by=SYSTEM, subject=None, at=NOW),
    ):
        raise ValueError("broken")
    with audit.refusals(event="test.done", by=SYSTEM, subject=None, at=NOW):
        pass
    assert not rows().exists()


def test_a_time_without_a_zone_is_refused(db):
    with pytest.raises(RuntimeWarning, match="naive datetime"):
        audit.record(
            event="test.done",
            by=SYSTEM,
            subject=None,
            at=datetime(2026, 11, 23),  # noqa: DTZ001
        )
