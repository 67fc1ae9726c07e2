"""verify_audit, anchor_audit, export_audit and rotate_secrets: abuse-cases.md F 131, H 160."""

import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from portal import audit, vault
from portal.audit import tasks
from portal.caller import SYSTEM
from portal.identity import differences
from portal.management.commands.serve import Child
from portal.models import AuditEvent, Entity, OutboxMessage
from portal.outbox.enqueue import enqueue, message
from sls.devices import challenges
from sls.models import SecurityDevice
from tests.conftest import DEVICES, NOW, PLAYS, person, press

NEW_KEY = "n2:" + "fedcba9876543210" * 4


def run(name, *arguments, **options):
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def chain(db):
    for number in range(3):
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW, step=number)


def test_verify_audit_is_content_with_an_unbroken_chain(chain):
    assert run("verify_audit") == "3 rows, unbroken\n"


def test_verify_audit_is_content_with_an_empty_chain(db):
    assert run("verify_audit") == "0 rows, unbroken\n"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_verify_audit_names_the_first_bad_row(chain, number):
    AuditEvent.objects.filter(number__gte=number).update(event="test.undone")
    with pytest.raises(CommandError, match=f"audit row {number} was altered"):
        run("verify_audit")


@pytest.mark.parametrize("number", [1, 2])
def test_verify_audit_names_the_row_after_a_gap(chain, number):
    AuditEvent.objects.filter(number=number).delete()
    with pytest.raises(CommandError, match=f"audit row {number + 1} rows {number} to {number} are"):
        run("verify_audit")


def test_verify_audit_finds_rows_cut_off_by_the_anchors(chain, settings, tmp_path):
    assert run("anchor_audit") == "row 3 is anchored\n"
    assert run("anchor_audit") == "nothing new\n"
    assert run("verify_audit", "--strict") == "3 rows, unbroken\n"
    AuditEvent.objects.filter(number__gte=2).delete()
    with pytest.raises(CommandError, match="audit row 2 rows 2 to 3 are cut off"):
        run("verify_audit")
    kept = tmp_path / "elsewhere"
    Path(settings.AUDIT_ANCHOR[0]).rename(kept)
    assert run("verify_audit") == "1 rows, unbroken\n"
    with pytest.raises(CommandError, match="there are warnings"):
        run("verify_audit", "--strict")
    with pytest.raises(CommandError, match="audit row 2 rows 2 to 3 are cut off"):
        run("verify_audit", "--anchors", str(kept))
    with pytest.raises(CommandError, match="cannot be read"):
        run("verify_audit", "--anchors", str(tmp_path / "nothing"))


def test_verify_audit_says_when_nothing_was_anchored_for_long_or_lines_are_gone(chain, settings):
    warned = io.StringIO()
    run("verify_audit", stderr=warned)
    assert "no anchors" in warned.getvalue()
    run("anchor_audit")
    audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
    audit.record(event="test.done", by=SYSTEM, subject=None, at=timezone.now())
    warned = io.StringIO()
    run("verify_audit", stderr=warned)
    assert "no anchor since row 3" in warned.getvalue()
    run("anchor_audit")
    warned = io.StringIO()
    run("verify_audit", stderr=warned)
    assert warned.getvalue() == ""
    path = Path(settings.AUDIT_ANCHOR[0])
    path.write_text(path.read_text().replace('"number":3', '"number":2'))
    with pytest.raises(CommandError, match="line 1 of the anchors is forged"):
        run("verify_audit")


def test_verify_audit_begins_where_it_is_told(chain):
    run("anchor_audit")
    AuditEvent.objects.filter(number=1).update(event="test.undone")
    assert run("verify_audit", "--from", "2") == "2 rows, unbroken\n"
    assert run("verify_audit", "--since-anchor") == "1 rows, unbroken\n"
    AuditEvent.objects.filter(number=3).update(event="test.undone")
    for where in (["--since-anchor"], ["--from", "3"]):
        with pytest.raises(CommandError, match="audit row 3 was altered"):
            run("verify_audit", *where)


@pytest.mark.django_db(transaction=True)
def test_export_audit_writes_a_new_file_and_goes_on_record(tmp_path):
    with transaction.atomic():
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW, step=1)
    printed = run("export_audit", "--reason", "an inquiry")
    assert json.loads(printed)["event"] == "test.done"
    file = tmp_path / "rows.csv"
    options = [
        "--reason",
        "x",
        "--form",
        "csv",
        "--event",
        "test.done",
        "--since",
        "2026-11-23T00:00Z",
    ]
    run("export_audit", *options, "--output", str(file))
    assert len(file.read_text().splitlines()) == 2
    assert file.stat().st_mode & 0o077 == 0
    with pytest.raises(CommandError, match="exists"):
        run("export_audit", *options, "--output", str(file))
    with pytest.raises(CommandError, match="no time: yesterday"):
        run("export_audit", "--reason", "x", "--since", "yesterday")
    exports = AuditEvent.objects.filter(event="portal.audit.exported")
    assert [row.facts["form"] for row in exports] == ["jsonl", "csv"]
    assert all(row.facts["login"] for row in exports)


@pytest.mark.django_db(transaction=True)
def test_the_nightly_verification_goes_on_record(caplog):
    with transaction.atomic():
        audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
    run("anchor_audit")
    tasks.verify()
    verified = AuditEvent.objects.get(event="portal.audit.verified")
    assert verified.facts == {"rows": 1, "anchors": 1, "wrong": []}
    AuditEvent.objects.filter(number=1).update(actor="nobody")
    tasks.verify()
    assert "the audit chain does not hold: audit row 1 was altered" in caplog.text
    last = AuditEvent.objects.order_by("-number").first()
    assert last.facts["wrong"] == ["audit row 1 was altered"]


# --- Rotation ---------------------------------------------------------------------------------------


@pytest.fixture
def secrets(on_stage, settings):
    """The cast's secrets under the old key, which is known from here on as the second one."""
    enqueue([message(user=person("owner"), event="share_withdrawn", fact="x", now=NOW, a="b")])
    entity = person("stranger").entity
    entity.set_number("ssn", "078-05-1120")
    entity.save()
    old = settings.VAULT_KEYS
    settings.VAULT_KEYS = f"{NEW_KEY},{old}"
    return old


def tokens():
    return [
        *SecurityDevice.objects.values_list("secret", flat=True),
        *OutboxMessage.objects.values_list("context", flat=True),
        *Entity.objects.values_list("document_number_sealed", flat=True),
        *Entity.objects.exclude(ssn_sealed="").values_list("ssn_sealed", flat=True),
    ]


def test_rotation_seals_everything_with_the_newest_key(secrets):
    assert len(tokens()) > 20
    assert not any(token.startswith("1.n2.") for token in tokens())
    counts = dict(line.split(": ") for line in run("rotate_secrets").splitlines())
    assert all(token.startswith("1.n2.") for token in tokens())
    assert int(counts["sls.SecurityDevice"]) == SecurityDevice.objects.count()
    assert int(counts["portal.OutboxMessage"]) == 1
    assert int(counts["portal.Entity"]) == Entity.objects.count() + 1
    assert int(counts["indexes"]) == Entity.objects.count()


def test_after_rotation_the_old_key_can_go(secrets, settings):
    run("rotate_secrets")
    settings.VAULT_KEYS = NEW_KEY
    for plays, question in (("owner", "004711"), ("requester", "17 142")):
        device = SecurityDevice.objects.get(serial=DEVICES[PLAYS[plays].username].serial)
        assert challenges.expected_response(device, question) == press(plays, question)
    entity = person("stranger").entity
    assert vault.sealed_field(entity, "ssn_sealed").open_from(entity) == "078051120"
    row = OutboxMessage.objects.get()
    assert vault.sealed_field(row, "context").open_from(row) == '{"a": "b"}'


def test_rotation_again_changes_nothing(secrets):
    run("rotate_secrets")
    before = tokens()
    counts = [line.split(": ")[1] for line in run("rotate_secrets").splitlines()]
    assert set(counts) == {"0"}
    assert tokens() == before


def test_empty_values_stay_empty(secrets):
    assert Entity.objects.filter(ssn_sealed="").exists()
    run("rotate_secrets")
    assert not Entity.objects.filter(ssn_sealed="").exclude(ssn_index="").exists()
    assert Entity.objects.filter(ssn_sealed="").count() == Entity.objects.count() - 1


def same_person():
    mine, other = person("requester").entity, person("other_entity").entity
    return differences(mine.identification(), other.identification()) == ()


def test_identities_compare_alike_before_during_and_after_rotation(secrets, settings):
    assert same_person()
    entity = person("requester").entity
    entity.set_number("document_number", "LX 204-7713")  # written meanwhile, with the newest key
    entity.save()
    assert same_person()
    run("rotate_secrets")
    settings.VAULT_KEYS = NEW_KEY
    assert same_person()


def test_without_the_old_key_rotation_stops_and_changes_nothing(secrets, settings):
    before = tokens()
    settings.VAULT_KEYS = NEW_KEY
    with pytest.raises(CommandError, match=r"does not open.*back into VAULT_KEYS"):
        run("rotate_secrets")
    assert tokens() == before


def test_rotation_works_in_batches(secrets, monkeypatch):
    monkeypatch.setattr("portal.management.commands.rotate_secrets.BATCH", 2)
    run("rotate_secrets")
    assert all(token.startswith("1.n2.") for token in tokens())


def test_serve_refuses_an_address_that_another_program_has():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CommandError, match="taken"):
            call_command("serve", bind=bind)


@pytest.mark.parametrize(
    ("ending", "seconds", "flaps"),
    [
        ("raise SystemExit(1)", 80, True),  # five starts, on a machine where each takes long
        ("raise SystemExit(1)", 200, False),
        ("import os; os.kill(os.getpid(), 9)", 80, False),
        ("import os; os.kill(os.getpid(), 9)", 20, True),
    ],
)
def test_serve_gives_up_on_what_ends_at_once_again_and_again(tmp_path, ending, seconds, flaps):
    process = subprocess.Popen([sys.executable, "-c", ending], stderr=subprocess.DEVNULL)
    process.wait()
    starts = [seconds * number / 4 for number in range(5)]
    assert Child("worker", [], tmp_path, process, starts).is_flapping == flaps
