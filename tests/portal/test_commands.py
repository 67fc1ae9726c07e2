"""verify_audit and rotate_secrets: abuse-cases.md F 131, H 160."""

import io
import socket

import pytest
from django.core.management import CommandError, call_command

from portal import audit, vault
from portal.caller import SYSTEM
from portal.identity import differences
from portal.models import AuditEvent, Entity, OutboxMessage
from portal.outbox.enqueue import enqueue, message
from sls.devices import challenges
from sls.models import SecurityDevice
from tests.conftest import DEVICES, NOW, PLAYS, person, press

NEW_KEY = "n2:" + "fedcba9876543210" * 4


def run(name):
    out = io.StringIO()
    call_command(name, stdout=out)
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
    with pytest.raises(vault.VaultError):
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
