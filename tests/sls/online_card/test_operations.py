"""The Online Security Code Card: requested, looked at, confirmed, over."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction

from portal import audit, throttle
from portal.errors import Refused
from portal.models import Allowance, AuditEvent, OutboxMessage, User
from sls.devices import challenges, making
from sls.devices import operations as devices
from sls.models import DeviceGrant, OnlineCardRequest, SecurityDevice
from sls.online_card import operations, queries
from tests.conftest import NOW, by, person

pytestmark = pytest.mark.usefixtures("on_stage")
WHO = "temporary_code"
INSTANT = timedelta(microseconds=1)


def request(plays=WHO, now=NOW):
    return operations.request(by=by(plays), now=now)


def read(card, plays=WHO):
    return queries.owned(card.pk, person(plays))


def asked(plays=WHO, now=NOW):
    card = request(plays, now=now)
    operations.ask(read(card, plays), by=by(plays), now=now)
    return read(card, plays)


def right(card):
    return challenges.expected_response(card.device, card.challenge.question)


def confirm(card, response=None, plays=WHO, now=NOW, session="s" * 64):
    response = right(card) if response is None else response
    return operations.confirm(card, response=response, by=by(plays, session), now=now)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def state_of(card):
    return OnlineCardRequest.objects.get(pk=card.pk).state


def grants(plays=WHO, kind="online_card"):
    return DeviceGrant.objects.filter(user=person(plays), device__kind=kind, state="active")


def last_row():
    row = AuditEvent.objects.last()
    return row.event, row.actor, row.subject, row.facts


def test_an_unconfirmed_card_is_nobodys_device_and_told():
    card = request()
    assert (state_of(card), card.expires_at) == ("shown", NOW + settings.CARD_REQUEST_LIFE)
    assert not DeviceGrant.objects.filter(device=card.device).exists()
    assert last_row() == (
        "sls.card.requested",
        "robin.travel",
        "robin.travel",
        {"device": card.device.serial_masked},
    )
    message = OutboxMessage.objects.get()
    assert (message.event, message.user) == ("online_card_requested", person(WHO))


def test_every_look_at_the_card_is_on_record():
    card = request()
    first = operations.show(read(card), by=by(WHO), now=NOW)
    assert first == operations.show(read(card), by=by(WHO), now=NOW)
    assert len(first) == 224
    assert AuditEvent.objects.filter(event="sls.card.shown").count() == 2
    facts = str(list(AuditEvent.objects.values_list("facts", flat=True)))
    assert not any(f"'{cell}'" in facts for cell in first)


def test_a_card_is_shown_to_its_user_only_and_until_it_is_confirmed():
    card = request()
    assert read(card, "owner") is None
    assert code_of(operations.show, card, by=by("owner"), now=NOW) == "card_request_over"
    assert code_of(operations.show, card, by=by(WHO), now=card.expires_at) == "card_request_over"
    operations.ask(read(card), by=by(WHO), now=NOW)
    confirm(read(card))
    assert code_of(operations.show, read(card), by=by(WHO), now=NOW) == "card_request_over"


def test_the_two_values_make_it_the_users_device_for_21_days_and_end_the_temporary_code():
    card = asked()
    code = grants(kind="temporary_code").get()
    grant = confirm(card)
    assert grant == grants().get()
    card = read(card)
    assert (card.state, card.confirmed_at) == ("confirmed", NOW)
    assert card.device.expires_at == NOW + timedelta(days=21)
    assert not grants(kind="temporary_code").exists()
    assert grants(kind="dsc_plus").exists()
    assert last_row() == (
        "sls.card.confirmed",
        "robin.travel",
        "robin.travel",
        {
            "device": card.device.serial_masked,
            "expires_at": (NOW + timedelta(days=21)).isoformat(),
            "ended": [code.device.serial_masked],
        },
    )
    events = set(OutboxMessage.objects.values_list("event", flat=True))
    assert events == {"online_card_requested", "online_card_confirmed"}


def test_a_new_card_takes_the_place_of_the_old_one_only_when_it_is_confirmed():
    first = asked("owner")
    confirm(first, plays="owner")
    second = asked("owner")
    assert grants("owner").get().device == first.device
    confirm(second, plays="owner")
    assert grants("owner").get().device == second.device
    assert SecurityDevice.objects.get(pk=first.device_id).state == "revoked"


def test_a_newer_request_ends_the_unconfirmed_one():
    old = asked()
    request()
    assert state_of(old) == "replaced"
    assert code_of(confirm, old) == "challenge_expired"
    assert not grants().exists()


@pytest.mark.parametrize("wrong", ["swapped", "one right", "empty"])
def test_wrong_values_confirm_nothing_and_count(wrong):
    card = asked()
    value = right(card)
    response = {"swapped": value[3:] + value[:3], "one right": value[:3] + "III", "empty": ""}
    assert code_of(confirm, card, response[wrong]) == "invalid_response"
    assert state_of(card) == "shown"
    assert not grants().exists()
    row = Allowance.objects.get(limit=throttle.SECOND_FACTOR_OF_USER.name, key="robin.travel")
    assert row.spent == 1
    assert last_row()[0] == "sls.card.confirmed"
    assert last_row()[3]["refused"] == "invalid_response"


def test_small_letters_are_as_good_as_capitals():
    card = asked()
    assert confirm(card, right(card).lower())


def test_three_wrong_tries_end_the_question():
    card = asked()
    for _ in range(3):
        assert code_of(confirm, card, "IIIIII") == "invalid_response"
    assert code_of(confirm, card) == "challenge_expired"


def test_the_answer_serves_its_own_session_purpose_and_time_only():
    card = asked()
    assert code_of(confirm, card, session="t" * 64) == "challenge_expired"
    assert code_of(confirm, card, now=NOW + settings.CHALLENGE_LIFE) == "challenge_expired"
    assert card.challenge.purpose == "activate"
    assert confirm(card, now=NOW + settings.CHALLENGE_LIFE - INSTANT)
    assert code_of(confirm, card) == "challenge_expired"


def test_a_card_not_confirmed_in_time_is_over():
    card = request()
    late = NOW + settings.CARD_REQUEST_LIFE
    assert code_of(operations.ask, read(card), by=by(WHO), now=late) == "card_request_over"
    operations.close_expired(now=late)
    devices.close_expired(now=late)
    assert state_of(card) == "expired"
    assert SecurityDevice.objects.get(pk=card.device_id).state == "expired"


def test_a_deactivated_user_confirms_nothing():
    card = asked()
    User.objects.filter(pk=person(WHO).pk).update(is_active=False)
    assert code_of(confirm, card) == "card_request_over"


def test_cards_are_limited():
    for _ in range(throttle.ONLINE_CARDS_OF_USER.size):
        request()
    assert code_of(request) == "too_many_cards"


def test_a_failing_audit_leaves_the_card_unconfirmed_and_the_code_alive(monkeypatch):
    card = asked()
    messages = OutboxMessage.objects.count()

    def fail(**row):
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        confirm(card)
    assert state_of(card) == "shown"
    assert not grants().exists()
    assert grants(kind="temporary_code").exists()
    assert OutboxMessage.objects.count() == messages


def test_the_database_keeps_one_unconfirmed_card_per_user():
    card = request()
    spare = making.new_code_card(serial="OCC-SPARE", now=NOW)
    spare.save(force_insert=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        OnlineCardRequest.objects.create(
            user=card.user, device=spare, requested_at=NOW, expires_at=NOW
        )


def test_a_temporary_device_without_an_end_is_refused_by_the_database():
    device = grants(kind="temporary_code").get().device
    with pytest.raises(IntegrityError), transaction.atomic():
        SecurityDevice.objects.filter(pk=device.pk).update(expires_at=None, full_access_until=None)
