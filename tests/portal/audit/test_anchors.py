"""Anchors outside the database: written, chained, genuine. abuse-cases.md F 131."""

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from portal.audit import anchors, tasks
from portal.celery import app
from portal.models import AuditEvent
from tests.conftest import NOW

from .conftest import EVENTS, append

pytestmark = pytest.mark.usefixtures("chain")
NEW_KEY = "n2:" + "fedcba9876543210" * 4


def file() -> Path:
    return anchors.places()[0]


def lines() -> list[str]:
    return file().read_text().splitlines()


def write_many(count: int) -> None:
    for _ in range(count):
        append(1)
        anchors.write(now=NOW)


def problems(changed: list[str]) -> list[str]:
    return anchors.read(changed).problems


def test_an_anchor_is_number_and_hash_of_the_newest_row():
    made = anchors.write(now=NOW)
    newest = AuditEvent.objects.order_by("-number").first()
    assert (made.number, made.hash) == (EVENTS, newest.hash)
    assert json.loads(lines()[0])["at"] == "2026-11-23T12:00:00+00:00"
    assert anchors.newest() == made
    assert file().stat().st_mode & 0o077 == 0


def test_what_is_anchored_is_not_anchored_again():
    anchors.write(now=NOW)
    assert anchors.write(now=NOW) is None
    assert len(lines()) == 1
    append(1)
    assert anchors.write(now=NOW).line == 2
    assert problems(lines()) == []


def test_an_empty_chain_needs_no_anchor():
    AuditEvent.objects.all().delete()
    assert anchors.write(now=NOW) is None


@pytest.mark.parametrize("name", ["number", "hash", "at", "previous", "series", "line"])
@pytest.mark.parametrize("place", [0, 1, 3], ids=["first", "middle", "last"])
def test_a_changed_line_is_forged(place, name):
    write_many(4)
    changed = lines()
    values = json.loads(changed[place])
    values[name] = values[name] + 1 if isinstance(values[name], int) else values[name] + "0"
    changed[place] = json.dumps(values)
    assert f"line {values['line']} of the anchors is forged" in problems(changed)


def test_a_line_made_without_the_key_is_forged():
    write_many(1)
    values = json.loads(lines()[0])
    values["mac"] = values["mac"].partition(":")[0] + ":" + "a" * 64
    assert problems([json.dumps(values)]) == ["line 1 of the anchors is forged"]
    assert anchors.read([json.dumps(values)]).hashes == {}


def test_missing_lines_are_found_and_what_is_left_counts():
    write_many(5)
    reading = anchors.read(lines()[:1] + lines()[3:])
    assert reading.problems == ["lines 2 to 3 of the anchors are missing"]
    assert sorted(reading.hashes) == [EVENTS + 1, EVENTS + 4, EVENTS + 5]


def test_a_copy_without_its_beginning_is_only_noted():
    write_many(3)
    reading = anchors.read(lines()[1:])
    assert (reading.problems, reading.notes) == ([], ["the anchors begin with line 2"])


def test_swapped_lines_and_lines_of_another_file_are_found():
    write_many(3)
    one, two, three = lines()
    assert problems([one, three, two]) != []
    file().unlink()
    write_many(3)
    assert problems([one, two, three, *lines()]) == []  # two files in one syslog
    other = json.loads(lines()[1]) | {"series": json.loads(one)["series"]}
    assert problems([one, json.dumps(other)]) == ["line 2 of the anchors is forged"]


def test_anchors_are_found_between_the_other_lines_of_a_syslog():
    write_many(2)
    log = ["Nov 23 12:00:00 host sshd: hello {", "", '{"a": 1}', "[1]"]
    log += [f"Nov 23 12:00:01 host audit-anchor: {line}\n" for line in lines()]
    log += log[-1:]
    reading = anchors.read(log)
    assert (reading.problems, reading.notes) == ([], [])
    assert reading.newest.number == EVENTS + 2


def test_a_torn_line_is_left_alone_and_noted(settings):
    write_many(2)
    with file().open("a") as torn:
        torn.write(lines()[0][:100])
    append(1)
    assert anchors.write(now=NOW).line == 3
    reading = anchors.of_this_machine()
    assert reading.problems == []
    assert len(reading.notes) == 1
    assert sorted(reading.hashes) == [EVENTS + 1, EVENTS + 2, EVENTS + 3]


def test_lines_of_a_key_that_is_gone_count_when_a_later_one_leads_back_to_them(settings):
    write_many(2)
    settings.VAULT_KEYS = NEW_KEY
    assert problems(lines()) == [
        f"line {line} of the anchors is of a key that is not known" for line in (1, 2)
    ]
    write_many(1)
    assert problems(lines()) == []
    assert sorted(anchors.of_this_machine().hashes) == [EVENTS + 1, EVENTS + 2, EVENTS + 3]
    changed = json.loads(lines()[1]) | {"hash": "0" * 64}
    assert problems([lines()[0], json.dumps(changed), lines()[2]]) != []


# --- Nothing is anchored over a chain that does not go on ---------------------------------------------


def test_a_chain_behind_its_anchor_is_not_anchored(caplog):
    anchors.write(now=NOW)
    AuditEvent.objects.filter(number__gt=4).delete()
    with pytest.raises(anchors.AnchorError, match=f"rows 5 to {EVENTS} are cut off"):
        anchors.write(now=NOW)
    tasks.anchor()
    assert "no audit anchor is written: rows 5 to 7 are cut off" in caplog.text
    assert f"move {file()} away" in caplog.text
    assert "After a restore" in Path("docs/audit.md").read_text(encoding="utf-8")
    assert len(lines()) == 1


def test_the_anchors_of_a_thrown_away_demo_are_kept_under_another_name(settings):
    settings.DEMO_MODE = True
    anchors.write(now=NOW)
    assert anchors.set_aside_for_an_empty_demo() is None  # there are rows
    before = file().read_text()
    AuditEvent.objects.all().delete()
    kept = anchors.set_aside_for_an_empty_demo()
    assert kept.read_text() == before
    assert not file().exists()
    assert anchors.set_aside_for_an_empty_demo() is None


def test_outside_the_demo_anchors_stay_whatever_became_of_the_rows(settings):
    settings.DEMO_MODE = False
    anchors.write(now=NOW)
    AuditEvent.objects.all().delete()
    assert anchors.set_aside_for_an_empty_demo() is None
    assert file().exists()
    with pytest.raises(anchors.AnchorError, match="cut off"):
        anchors.check()


def test_a_chain_that_is_another_at_its_anchor_is_not_anchored():
    anchors.write(now=NOW)
    AuditEvent.objects.filter(number__gt=4).delete()
    append(10, after="the restore")
    with pytest.raises(anchors.AnchorError, match="row 7 is not the row that was anchored"):
        anchors.write(now=NOW)


def test_a_forged_last_line_is_not_gone_on_from():
    anchors.write(now=NOW)
    changed = json.loads(lines()[0]) | {"number": 2}
    file().write_text(json.dumps(changed) + "\n")
    with pytest.raises(anchors.AnchorError, match="forged"):
        anchors.write(now=NOW)


def test_a_file_that_holds_something_else_is_not_written_to():
    file().write_text("another file\n")
    with pytest.raises(anchors.AnchorError, match="does not end with an anchor"):
        anchors.write(now=NOW)
    assert file().read_text() == "another file\n"


# --- Syslog -------------------------------------------------------------------------------------------


def test_a_line_goes_to_a_local_syslog_too(settings, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        settings.AUDIT_ANCHOR = [f"syslog:{tmp_path / 'log'}", str(tmp_path / "a" / "kept")]
        anchors.write(now=NOW)
        said = log.recv(4096).decode()
    assert said == f"<109>audit-anchor: {lines()[0]}"
    assert file() == tmp_path / "a" / "kept"


def test_a_line_goes_to_a_syslog_over_udp_and_over_tcp(settings):
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log,
        socket.create_server(("127.0.0.1", 0)) as stream,
    ):
        log.bind(("127.0.0.1", 0))
        addresses = [("syslog", log), ("syslog+tcp", stream)]
        settings.AUDIT_ANCHOR = settings.AUDIT_ANCHOR + [
            f"{scheme}://127.0.0.1:{where.getsockname()[1]}" for scheme, where in addresses
        ]
        heard = []

        def listen():
            accepted, _from = stream.accept()
            with accepted:
                heard.append(accepted.makefile().read())

        listener = threading.Thread(target=listen)
        listener.start()
        anchors.write(now=NOW)
        listener.join(5)
        assert log.recv(4096).decode() == f"<109>audit-anchor: {lines()[0]}"
    assert heard == [f"<109>audit-anchor: {lines()[0]}\n"]


def test_a_line_that_no_syslog_took_is_made_again(settings, tmp_path):
    kept = settings.AUDIT_ANCHOR
    settings.AUDIT_ANCHOR = [*kept, f"syslog:{tmp_path / 'nobody'}"]
    with pytest.raises(OSError, match="No such file"):
        anchors.write(now=NOW)
    assert lines() == []
    settings.AUDIT_ANCHOR = kept
    assert anchors.write(now=NOW).line == 1


def test_without_a_path_the_file_is_in_the_folder_of_state(settings, tmp_path):
    settings.VAR_DIR = tmp_path
    settings.AUDIT_ANCHOR = ["syslog:/dev/log"]
    assert anchors.places() == (tmp_path / "audit-anchors.jsonl", ["syslog:/dev/log"])


# --- Jobs ---------------------------------------------------------------------------------------------


def test_every_job_that_beat_starts_is_known_to_the_workers(settings):
    app.loader.import_default_modules()
    wanted = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {"portal.audit.tasks.anchor", "portal.audit.tasks.verify"} <= wanted
    assert wanted <= set(app.tasks)


# --- Several at once ----------------------------------------------------------------------------------


def test_anchors_written_at_once_follow_one_another(monkeypatch):
    """The tail moves with every look at it; the file's lock puts lookers in a row."""
    tails, guard = iter(range(1, 100)), threading.Lock()

    def moving_tail():
        with guard:
            return next(tails), "a" * 64

    monkeypatch.setattr(anchors.chain, "tail", moving_tail)
    monkeypatch.setattr(anchors, "_must_go_on_from", lambda last, tail: None)
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda _: anchors.write(now=NOW), range(40)))
    assert [json.loads(line)["line"] for line in lines()] == list(range(1, 41))
    assert problems(lines()) == []


@pytest.mark.django_db(transaction=True)
def test_the_file_is_written_without_the_lock_of_the_chain(monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite knows no advisory locks")
    held = []
    write = os.write

    def noting(*what):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE locktype = 'advisory' AND datname = current_database()"
            )
            held.append((cursor.fetchone()[0], connection.in_atomic_block))
        return write(*what)

    monkeypatch.setattr(anchors.os, "write", noting)
    anchors.write(now=NOW)
    assert held == [(0, False)]
