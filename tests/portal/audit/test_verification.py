"""Rows that are cut off or made anew are found by the anchors: abuse-cases.md F 131."""

import pytest

from portal import audit
from portal.audit import anchors, verification
from portal.models import AuditEvent
from tests.conftest import NOW

from .conftest import EVENTS, anchored, append, make_whole_again

pytestmark = pytest.mark.usefixtures("chain")


def rows():
    return AuditEvent.objects.order_by("number")


def broken():
    return list(audit.broken_rows(anchors=anchored()))


def test_an_anchored_chain_holds_and_says_how_many_anchors_agree():
    anchors.write(now=NOW)
    append(3)
    anchors.write(now=NOW)
    append(2)
    walk = verification.Walk(anchors=anchored())
    assert list(walk.broken()) == []
    assert (walk.rows, walk.agreed) == (EVENTS + 5, 2)


@pytest.mark.parametrize("gone", [[EVENTS], [5, 6, EVENTS], list(range(1, EVENTS + 1))])
def test_rows_cut_off_at_the_end_are_found(gone):
    anchors.write(now=NOW)
    rows().filter(number__in=gone).delete()
    assert broken() == [(gone[0], f"rows {gone[0]} to {EVENTS} are cut off")]


def test_without_anchors_a_cut_at_the_end_is_not_seen():
    rows().filter(number=EVENTS).delete()
    assert broken() == []


@pytest.mark.parametrize("number", [1, 4, EVENTS], ids=["first", "middle", "last"])
def test_a_chain_made_anew_without_a_row_is_found(number):
    anchors.write(now=NOW)
    append(1)
    rows().filter(number=number).delete()
    make_whole_again()
    assert list(audit.broken_rows()) == []
    assert broken() == [(EVENTS, "is not the row that was anchored")]


@pytest.mark.parametrize("number", [1, 4, EVENTS], ids=["first", "middle", "last"])
def test_a_chain_made_anew_around_an_altered_row_is_found(number):
    anchors.write(now=NOW)
    rows().filter(number=number).update(actor="nobody")
    make_whole_again()
    assert broken() == [(EVENTS, "is not the row that was anchored")]


@pytest.mark.parametrize("number", [1, 4, EVENTS], ids=["first", "middle", "last"])
def test_a_chain_made_anew_around_an_inserted_row_is_found(number):
    anchors.write(now=NOW)
    for row in list(rows().filter(number__gte=number))[::-1]:
        rows().filter(number=row.number).update(number=row.number + 1)
    forged = AuditEvent(number=number, at=NOW, event="test.forged", previous_hash="f" * 64)
    forged.save(force_insert=True)
    make_whole_again()
    assert broken() == [(EVENTS, "is not the row that was anchored")]


@pytest.mark.parametrize("number", [1, 3, EVENTS - 1], ids=["first", "middle", "last"])
def test_a_chain_made_anew_around_swapped_rows_is_found(number):
    anchors.write(now=NOW)
    one, other = rows().get(number=number), rows().get(number=number + 1)
    rows().filter(number=number).update(facts=other.facts)
    rows().filter(number=number + 1).update(facts=one.facts)
    make_whole_again()
    assert broken() == [(EVENTS, "is not the row that was anchored")]


def test_a_database_of_yesterday_is_found_before_and_after_it_has_grown_again():
    yesterday = list(rows())
    append(5)
    anchors.write(now=NOW)
    rows().exclude(number__in=[row.number for row in yesterday]).delete()
    assert broken() == [(EVENTS + 1, f"rows {EVENTS + 1} to {EVENTS + 5} are cut off")]
    append(9, after="the restore")
    assert broken() == [(EVENTS + 5, "is not the row that was anchored")]


def test_a_walk_may_begin_in_the_middle():
    walk = verification.Walk(after=verification.link_before(5))
    assert list(walk.broken()) == []
    assert walk.rows == 3
    rows().filter(number=5).update(actor="nobody")
    assert list(audit.broken_rows(after=verification.link_before(5))) == [(5, "was altered")]
    assert list(audit.broken_rows(after=verification.link_before(6))) == []


def test_a_walk_whose_beginning_is_gone_begins_at_the_first_row():
    rows().filter(number=4).delete()
    found = list(audit.broken_rows(after=verification.link_before(5)))
    assert found == [(5, "rows 4 to 4 are missing")]


def test_rows_come_in_batches_and_none_is_lost_between_them(monkeypatch):
    monkeypatch.setattr(verification, "BATCH", 3)
    numbers = [row[0] for row in verification.in_batches(AuditEvent.objects.all(), up_to=6)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert broken() == []
    rows().filter(number=4).update(actor="nobody")
    assert broken() == [(4, "was altered")]
