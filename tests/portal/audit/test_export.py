"""Rows taken out: neutral for spreadsheets, exact for programs, in constant memory, on record."""

import csv
import hashlib
import io
import json
from datetime import timedelta

import pytest

from portal import audit
from portal.audit import export, operations, verification
from portal.audit.export import Form
from portal.audit.queries import Filters
from portal.caller import Caller
from portal.models import AuditEvent, User
from tests.conftest import NOW
from tests.counting import counting

from .conftest import append

SOMEBODY = Caller(address="192.0.2.7")
DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "=cmd|' /C calc'!A0"]


def take_out(form=Form.JSON_LINES, by=SOMEBODY, **wanted):
    lines = operations.take_out(
        wanted=Filters(**wanted), form=form, reason="an inquiry", by=by, now=NOW
    )
    return list(lines)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cell", DANGEROUS)
def test_no_cell_of_the_csv_is_a_formula(cell):
    by = Caller(user=User(username=cell), address=cell, request_id=cell)
    audit.record_refusal(event=cell, by=by, subject=User(username=cell), at=NOW, note=cell)
    header, row = csv.reader(io.StringIO("".join(take_out(Form.CSV)), newline=""))
    assert header == list(export.NAMES)
    cells = dict(zip(header, row, strict=True))
    for name in ("event", "actor", "subject", "address", "request_id"):
        assert cells[name] == f"'{cell}"
    assert json.loads(cells["facts"]) == {"note": cell}
    assert not any(value.startswith(export.FORMULA) for value in row)


@pytest.mark.django_db(transaction=True)
def test_json_lines_are_exact_and_can_be_verified_by_a_stranger():
    append(3, note="=1+1, 余额")
    before = "0" * 64
    for line in take_out():
        row = json.loads(line)
        spelt = json.dumps(
            [row[name] for name in row if name != "hash"],
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
        )
        assert row["hash"] == hashlib.sha256(spelt.encode()).hexdigest()
        assert row["previous_hash"] == before
        before = row["hash"]
    assert row["number"] == 3


@pytest.mark.django_db(transaction=True)
def test_an_export_goes_on_record_and_does_not_hold_its_own_record():
    append(4)
    lines = take_out(since=NOW - timedelta(hours=1), event="test.done", actor="")
    assert len(lines) == 4
    row = AuditEvent.objects.get(event="portal.audit.exported")
    assert row.address == "192.0.2.7"
    assert row.facts == {
        "form": "jsonl",
        "reason": "an inquiry",
        "up_to": 4,
        "wanted": {"since": "2026-11-23T11:00:00+00:00", "event": "test.done"},
    }
    assert list(audit.broken_rows()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [1, 2, 3, 4]),
        ({"since": NOW + timedelta(hours=2)}, [3, 4]),
        ({"until": NOW + timedelta(hours=2)}, [1, 2]),
        ({"since": NOW + timedelta(hours=1), "until": NOW + timedelta(hours=3)}, [2, 3]),
        ({"event": "test.two"}, [2, 4]),
        ({"actor": "ada.quill"}, [1, 2]),
        ({"subject": "mei.lantern"}, [3]),
        ({"request_id": "r4"}, [4]),
        ({"event": "test.two", "actor": "ada.quill"}, [2]),
    ],
)
def test_filters_choose_the_rows(wanted, numbers):
    rows = [("ada.quill", "", "one"), ("ada.quill", "", "two"), ("", "mei.lantern", "one")]
    for number, (actor, subject, event) in enumerate([*rows, ("", "", "two")], 1):
        audit.record_refusal(
            event=f"test.{event}",
            by=Caller(user=User(username=actor) if actor else None, request_id=f"r{number}"),
            subject=User(username=subject) if subject else None,
            at=NOW + timedelta(hours=number - 1),
        )
    assert [json.loads(line)["number"] for line in take_out(**wanted)] == numbers


@pytest.mark.django_db(transaction=True)
def test_rows_are_read_as_they_are_written_out(monkeypatch):
    monkeypatch.setattr(verification, "BATCH", 10)
    append(95)
    lines = operations.take_out(wanted=Filters(), form=Form.CSV, reason="x", by=Caller(), now=NOW)
    with counting() as few:
        for _ in range(11):
            next(lines)
    assert few.sql == 1
    with counting() as rest:
        assert len(list(lines)) == 85
    assert rest.sql == 10
