"""A Temporary Code: asked for, confirmed, read out, used, and over."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from portal import audit, throttle
from portal.errors import Refused
from portal.models import AuditEvent, Entity, OutboxMessage, User
from sls.catalog import DeviceKind
from sls.codecard import ALPHABET
from sls.devices import operations as devices
from sls.models import (
    CodeRequestState,
    DeviceGrant,
    DeviceState,
    IdentityCheck,
    SecurityDevice,
    TemporaryCodeRequest,
)
from sls.temporary_code import operations, queries
from tests.conftest import NOW, PLAYS, by, person, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
CLIENT = "stranger"
LATER = NOW + timedelta(minutes=5)


def ask(client=CLIENT, maker="support", now=NOW, **more):
    wanted = {
        "username": PLAYS[client].username,
        "identity_check": IdentityCheck.CALL_BACK,
        "identity_note": "Called the number on record; name and last statement right.",
        "reason": "DSC+ left at home",
    }
    return operations.request(**(wanted | more), by=by(maker), now=now)


def read(asked):
    return queries.request(asked.pk)


def confirmed(client=CLIENT, maker="support", checker="officer", now=NOW):
    asked = ask(client, maker, now=now)
    operations.confirm(read(asked), by=by(checker), now=now)
    return read(asked)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def state_of(asked):
    return TemporaryCodeRequest.objects.get(pk=asked.pk).state


def codes_of(plays):
    return DeviceGrant.objects.filter(
        user=person(plays), device__kind=DeviceKind.TEMPORARY_CODE, state="active"
    )


def last_row():
    row = AuditEvent.objects.last()
    return row.event, row.actor, row.subject, row.facts


# --- The steps --------------------------------------------------------------------------------------


def test_asking_draws_no_code_and_leaves_one_audit_row():
    rows, devices_before = AuditEvent.objects.count(), SecurityDevice.objects.count()
    asked = ask()
    assert (state_of(asked), asked.expires_at) == ("requested", NOW + settings.CODE_REQUEST_LIFE)
    assert SecurityDevice.objects.count() == devices_before
    assert AuditEvent.objects.count() == rows + 1
    assert last_row() == (
        "sls.code.requested",
        "cleo.harbour",
        "tamsin.orrery",
        {"request": str(asked.pk), "check": "call_back"},
    )
    assert not OutboxMessage.objects.exists()


def test_confirming_draws_no_code_and_leaves_one_audit_row():
    devices_before = SecurityDevice.objects.count()
    asked = confirmed()
    assert (state_of(asked), asked.decided_by) == ("confirmed", person("officer"))
    assert SecurityDevice.objects.count() == devices_before
    assert last_row() == (
        "sls.code.confirmed",
        "ada.quill",
        "tamsin.orrery",
        {"request": str(asked.pk)},
    )


def test_the_maker_reads_out_a_code_whose_two_stages_begin_then():
    asked = confirmed()
    code = operations.reveal(asked, by=by("support"), now=LATER)
    assert len(code) == 8
    assert set(code) <= set(ALPHABET)
    grant = codes_of(CLIENT).get()
    device = grant.device
    assert device.full_access_until == LATER + timedelta(days=2)
    assert device.expires_at == LATER + timedelta(days=12)
    assert code not in device.secret
    row = TemporaryCodeRequest.objects.get(pk=asked.pk)
    assert (row.state, row.revealed_at, row.device) == ("revealed", LATER, device)
    assert last_row() == (
        "sls.code.revealed",
        "cleo.harbour",
        "tamsin.orrery",
        {
            "request": str(asked.pk),
            "device": device.serial_masked,
            "confirmed_by": "ada.quill",
        },
    )
    message = OutboxMessage.objects.get()
    assert (message.event, message.user) == ("temporary_code_issued", person(CLIENT))


def test_a_code_is_read_out_once():
    asked = confirmed()
    operations.reveal(asked, by=by("support"), now=LATER)
    assert code_of(operations.reveal, asked, by=by("support"), now=LATER) == "code_request_over"
    assert code_of(operations.reveal, read(asked), by=by("support"), now=LATER)
    assert codes_of(CLIENT).count() == 1


def test_a_declined_request_reveals_nothing():
    asked = ask()
    operations.decline(read(asked), by=by("officer"), now=NOW)
    assert state_of(asked) == "declined"
    assert last_row()[0] == "sls.code.declined"
    assert code_of(operations.confirm, read(asked), by=by("officer"), now=NOW)
    assert code_of(operations.reveal, read(asked), by=by("support"), now=NOW)
    assert not codes_of(CLIENT).exists()


def test_nothing_is_read_out_before_it_is_confirmed():
    asked = ask()
    assert code_of(operations.reveal, read(asked), by=by("support"), now=NOW) == "code_request_over"
    assert not codes_of(CLIENT).exists()


# --- Who may not ------------------------------------------------------------------------------------


def test_nobody_confirms_his_own_request():
    asked = ask()
    assert code_of(operations.confirm, read(asked), by=by("support"), now=NOW) == "same_staff"
    assert state_of(asked) == "requested"


def test_nobody_confirms_under_another_username_of_his_own():
    asked = ask()
    maker = person("support").entity
    twin = Entity.objects.get(pk=person("second_officer").entity_id)
    for name in ("date_of_birth", "citizenship", "country_of_residence", "document_type"):
        setattr(twin, name, getattr(maker, name))
    twin.set_number("document_number", "ES 104-5544")
    twin.save()
    assert code_of(operations.confirm, read(asked), by=by("second_officer"), now=NOW) == (
        "same_staff"
    )


@pytest.mark.parametrize("client", ["officer_client", "requester", "other_entity"])
def test_nobody_asks_for_himself_or_another_username_of_his(client):
    assert code_of(ask, client, "officer_client") == "own_person"
    assert not TemporaryCodeRequest.objects.exists()
    assert last_row()[0] == "sls.code.requested"
    assert last_row()[3]["refused"] == "own_person"


@pytest.mark.parametrize("client", ["officer_client", "requester", "other_entity"])
def test_nobody_confirms_for_himself_or_another_username_of_his(client):
    asked = ask(client, "administrator")
    assert code_of(operations.confirm, read(asked), by=by("officer_client"), now=NOW) == (
        "own_person"
    )
    assert state_of(asked) == "requested"


def test_a_code_for_a_username_of_staff_is_asked_for_by_an_administrator():
    assert code_of(ask, "lead") == "staff_username"
    assert state_of(ask("lead", "administrator")) == "requested"


def test_only_the_maker_reads_the_code_out():
    asked = confirmed()
    for plays in ("officer", "second_officer", "administrator", CLIENT):
        assert code_of(operations.reveal, asked, by=by(plays), now=NOW) == "not_the_maker"
    assert not codes_of(CLIENT).exists()


def test_persons_that_became_the_same_meanwhile_are_refused_at_the_last_step():
    asked = confirmed()
    User.objects.filter(pk=person("support").pk).update(entity=person(CLIENT).entity)
    assert code_of(operations.reveal, read(asked), by=by("support"), now=NOW) == "own_person"


@pytest.mark.parametrize("name", ["nobody.here", "", "x" * 300])
def test_an_unknown_client_is_refused_and_his_name_not_kept(name):
    assert code_of(ask, username=name) == "client_unknown"
    assert last_row()[2] == ""


def test_a_client_deactivated_meanwhile_gets_nothing():
    asked = confirmed()
    User.objects.filter(pk=person(CLIENT).pk).update(is_active=False)
    assert code_of(operations.reveal, asked, by=by("support"), now=NOW) == "client_unknown"


@pytest.mark.parametrize(
    "columns",
    [
        {"made_by": CLIENT},
        {"decided_by": "support", "decided_at": NOW, "state": "confirmed"},
        {"decided_by": CLIENT, "decided_at": NOW, "state": "confirmed"},
        {"decided_by": "officer"},
        {"state": "confirmed"},
        {"state": "revealed", "decided_by": "officer", "decided_at": NOW},
        {"state": "of my own"},
    ],
)
def test_the_database_refuses_what_no_operation_would_do(columns):
    asked = ask()
    people = {k: person(v) if k.endswith("_by") else v for k, v in columns.items()}
    with pytest.raises(IntegrityError), transaction.atomic():
        TemporaryCodeRequest.objects.filter(pk=asked.pk).update(**people)


# --- Never twice in a row ---------------------------------------------------------------------------


def test_a_second_code_needs_a_login_with_another_kind_of_device():
    operations.reveal(confirmed(), by=by("support"), now=NOW)
    later = NOW + timedelta(days=20)
    assert code_of(ask, now=later) == "temporary_code_twice"
    codes_of(CLIENT).update(last_used_at=later)  # logins with the code itself do not count
    assert code_of(ask, now=later) == "temporary_code_twice"
    own = DeviceGrant.objects.filter(user=person(CLIENT), device__kind="dsc_plus")
    own.update(last_used_at=NOW)  # nor does one before it
    assert code_of(ask, now=later) == "temporary_code_twice"
    own.update(last_used_at=later)
    assert ask(now=later)


def test_the_rule_is_asked_again_when_the_code_is_read_out():
    asked = confirmed()
    devices.give_temporary_code(person(CLIENT), now=NOW)
    assert code_of(operations.reveal, asked, by=by("support"), now=NOW) == "temporary_code_twice"


def test_a_new_code_ends_the_old_one():
    operations.reveal(confirmed(), by=by("support"), now=NOW)
    old = codes_of(CLIENT).get()
    DeviceGrant.objects.filter(user=person(CLIENT), device__kind="dsc_plus").update(
        last_used_at=LATER
    )
    operations.reveal(confirmed(now=LATER), by=by("support"), now=LATER)
    assert codes_of(CLIENT).get() != old
    assert SecurityDevice.objects.get(pk=old.device_id).state == DeviceState.REVOKED


# --- Time -------------------------------------------------------------------------------------------


def test_one_request_at_a_time_for_a_client():
    ask()
    assert code_of(ask, maker="administrator") == "code_already_asked"


def test_a_request_that_nobody_confirms_expires():
    asked = ask()
    over = NOW + settings.CODE_REQUEST_LIFE
    assert code_of(operations.confirm, read(asked), by=by("officer"), now=over) == (
        "code_request_over"
    )
    operations.close_expired(now=over)
    assert state_of(asked) == "expired"
    assert last_row() == ("sls.code.expired", "", "tamsin.orrery", {"request": str(asked.pk)})
    operations.close_expired(now=over)
    assert AuditEvent.objects.filter(event="sls.code.expired").count() == 1


def test_a_confirmed_code_that_nobody_reads_out_expires():
    asked = confirmed()
    over = NOW + settings.CODE_REQUEST_LIFE
    assert code_of(operations.reveal, asked, by=by("support"), now=over) == "code_request_over"
    operations.close_expired(now=over)
    assert state_of(asked) == "expired"


def test_an_overdue_request_does_not_stand_in_the_way_of_a_new_one():
    old = ask()
    ask(now=NOW + settings.CODE_REQUEST_LIFE)
    assert state_of(old) == CodeRequestState.EXPIRED


# --- All or nothing ---------------------------------------------------------------------------------


def test_a_failing_audit_leaves_no_code_behind(monkeypatch):
    asked = confirmed()
    before = SecurityDevice.objects.count()

    def fail(**row):
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        operations.reveal(asked, by=by("support"), now=NOW)
    assert state_of(asked) == "confirmed"
    assert SecurityDevice.objects.count() == before
    assert not codes_of(CLIENT).exists()
    assert not OutboxMessage.objects.exists()


def test_no_audit_row_and_no_message_holds_the_code():
    code = operations.reveal(confirmed(), by=by("support"), now=NOW)
    assert code not in str(list(AuditEvent.objects.values_list("facts", flat=True)))
    assert code not in str(list(OutboxMessage.objects.values()))


def test_requests_are_bounded_for_each_member_of_staff():
    use_up(throttle.CODE_REQUESTS_BY_STAFF, PLAYS["support"].username, NOW)
    assert code_of(ask) == "too_many_code_requests"
    assert not TemporaryCodeRequest.objects.exists()
    assert state_of(ask(maker="administrator")) == "requested"
