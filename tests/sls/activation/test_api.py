"""Activating a phone: every refusal, the exact rows, and what a thief with the password gets."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import audit
from portal.models import AuditEvent, OutboxMessage, PhoneNumber
from sls.demo.handset import Refused
from sls.models import DeviceGrant, Phone, PhoneActivation, PhoneUser
from tests.conftest import PLAYS, password, person, press
from tests.handset import PIN, code_sent_to, demo_phone, enrol, new_phone

pytestmark = pytest.mark.usefixtures("on_stage")
NEW = PLAYS["no_device"]


def refused(call, *args, **kwargs) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value


def begun(plays="no_device", phone=None):
    phone = phone or new_phone()
    return phone, phone.start(PLAYS[plays].username, password(plays))


def wrong(code: str) -> str:
    return code[:-1] + ("7" if code[-1] != "7" else "6")


# --- Name and password -----------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["password", "unknown", "inactive", "staff lock"])
def test_every_kind_of_wrong_is_the_same_to_the_byte(why):
    phone = new_phone()
    who, typed = NEW.username, NEW.password
    if why == "password":
        typed = "not it"
    if why == "unknown":
        who = "nobody.here"
    if why == "inactive":
        type(person("no_device")).objects.filter(username=who).update(is_active=False)
    if why == "staff lock":
        type(person("no_device")).objects.filter(username=who).update(locked_at=timezone.now())
    error = refused(phone.start, who, typed)
    answered = phone.last.json()
    del answered["server_time"]
    refused(new_phone().start, "somebody.else", "x")
    reference = new_phone()
    refused(reference.start, "somebody.else", "x")
    other = reference.last.json()
    del other["server_time"]
    assert json.dumps(answered) == json.dumps(other)
    assert (error.status, dict(phone.last.headers)) == (401, dict(reference.last.headers))
    assert not PhoneActivation.objects.exists()


def test_ten_wrong_passwords_end_the_tries_here_without_locking_the_login():
    for _ in range(10):
        refused(new_phone().start, NEW.username, "not it")
    assert refused(new_phone().start, NEW.username, NEW.password).code == "invalid_credentials"
    page = Client().post("/login/", {"username": NEW.username, "password": NEW.password})
    assert page.status_code == 302


# --- Numbers and codes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "national", "code"),
    [
        ("SG", "8123 4567", "number_not_digits"),
        ("SG", "+6581234567", "number_not_digits"),
        ("SG", "６５４３２１", "number_not_digits"),
        ("DE", "015112345678", "number_has_prefix"),
        ("US", "12025550143", "number_has_prefix"),
        ("SG", "61234567", "number_invalid"),  # fixed line
        ("GB", "9098790000", "number_invalid"),  # premium
        ("XX", "81234567", "number_invalid"),
        ("SG", "1" * 40, "number_invalid"),
    ],
)
def test_numbers_are_refused_with_a_hint(country, national, code):
    phone, started = begun()
    data = {"activation": started["activation"], "country": country, "national": national}
    assert refused(phone.call, "POST", "activation/code", data).code == code
    assert not OutboxMessage.objects.exists()


def test_a_number_that_somebody_else_has_gets_the_same_answer():
    PhoneNumber.objects.create(entity=person("stranger").entity, e164="+6581234567")
    answers = []
    for national in ("81234567", "91234568"):
        phone, started = begun()
        data = {"activation": started["activation"], "country": "SG", "national": national}
        answers.append(set(phone.call("POST", "activation/code", data)))
    assert answers[0] == answers[1]


def test_a_number_id_of_somebody_else_is_no_number():
    other = PhoneNumber.objects.filter(entity=person("stranger").entity).get()
    phone, started = begun()
    assert refused(phone.get_code, started, str(other.pk)).code == "number_invalid"


def test_a_code_is_sent_again_after_a_minute_and_ends_the_one_before():
    phone, started = begun()
    phone.get_code(started)
    first = code_sent_to(NEW.username)
    assert "retry_at" in refused(phone.get_code, started).error
    PhoneActivation.objects.update(resend_at=timezone.now())
    phone.get_code(started)
    second = code_sent_to(NEW.username)
    if first != second:
        assert refused(phone.activate, started, first, "g7#Qz").code == "wrong_code"
    phone.activate(started, second, "g7#Qz")


def test_the_sixth_try_is_refused_even_if_right():
    phone, started = begun()
    phone.get_code(started)
    code = code_sent_to(NEW.username)
    for left in (4, 3, 2, 1, 0):
        error = refused(phone.activate, started, wrong(code), "g7#Qz")
        assert (error.code, error.error["tries_left"]) == ("wrong_code", left)
    error = refused(phone.activate, started, code, "g7#Qz")
    assert (error.status, error.code) == (410, "code_over")
    assert not Phone.objects.filter(usernames__user=person("no_device")).exists()


def test_a_code_after_ten_minutes_is_over():
    phone, started = begun()
    phone.get_code(started)
    PhoneActivation.objects.update(code_expires_at=timezone.now())
    code = code_sent_to(NEW.username)
    assert refused(phone.activate, started, code, "g7#Qz").code == "code_over"


def test_a_code_counts_once_and_for_its_activation_only():
    phone, started = begun()
    phone.get_code(started)
    code = code_sent_to(NEW.username)
    other, theirs = begun("requester")
    assert refused(other.activate, theirs, code, "g7#Qz").code in ("code_over", "device_must_agree")
    phone.activate(started, code, "g7#Qz")
    again = new_phone()
    assert refused(again.activate, started, code, "g7#Qz").code == "activation_over"
    assert PhoneUser.objects.filter(user=person("no_device")).count() == 1


def test_sms_are_capped(settings):
    settings.LIMITS = {"sms_of_user": "3"}
    for _ in range(3):
        phone, started = begun()
        phone.get_code(started)
    phone, started = begun()
    assert refused(phone.get_code, started).code == "too_many_attempts"


def test_what_the_database_keeps_of_a_code_is_keyed():
    phone, started = begun()
    phone.get_code(started)
    row = PhoneActivation.objects.get()
    code = code_sent_to(NEW.username)
    assert code not in "".join(str(value) for value in vars(row).values() if value != row.pk)
    assert started["activation"] not in str(vars(row))


# --- Keys and elements --------------------------------------------------------------------------------------


def test_a_phone_without_any_element_is_refused():
    phone, started = begun()
    phone.get_code(started)
    data = {
        "activation": started["activation"],
        "code": code_sent_to(NEW.username),
        "ocra_key": "A" * 43,
        "public_key": phone.public_key,
    }
    error = refused(phone.call, "POST", "activation/activate", data, signed_as="new")
    assert error.code == "no_element"
    data |= {"pin": "g7#Qz"}
    error = refused(phone.call, "POST", "activation/activate", data, signed_as="new")
    assert error.code == "malformed"
    data |= {"pin_key": "A" * 43, "public_key": new_phone().public_key}
    error = refused(phone.call, "POST", "activation/activate", data, signed_as="new")
    assert error.code == "invalid_signature"
    data |= {"public_key": "A" * 87}
    error = refused(phone.call, "POST", "activation/activate", data, signed_as="new")
    assert error.code == "invalid_key"


def test_a_refused_pin_costs_no_try():
    phone, started = begun()
    phone.get_code(started)
    code = code_sent_to(NEW.username)
    error = refused(phone.activate, started, code, "1234")
    assert error.error["objections"] == ["common"]
    phone.activate(started, code, "g7#Qz")


# --- Protected usernames --------------------------------------------------------------------------------------


def test_a_device_is_asked_first_and_then_any_number_will_do():
    phone, started = begun("owner")
    assert started["agreement"]["is_needed"]
    phone.get_code(started)
    code = code_sent_to(PLAYS["owner"].username)
    assert refused(phone.activate, started, code, "g7#Qz").code == "device_must_agree"
    (device,) = started["agreement"]["devices"]
    asked = phone.ask(started, device["id"])
    answer = press("owner", asked["question"])
    assert refused(phone.agree, started, wrong(answer)).code == "invalid_response"
    assert phone.agree(started, answer)["is_agreed"]
    phone.activate(started, code, "g7#Qz")
    assert person("owner").grants.filter(state="active").count() == 2  # the DSC+ stays as backup


def test_a_device_of_somebody_else_is_not_asked():
    phone, started = begun("owner")
    theirs = DeviceGrant.objects.get(user=person("stranger"))
    assert refused(phone.ask, started, str(theirs.pk)).code == "device_must_agree"


def test_a_thief_with_the_password_gets_no_code_to_his_number():
    """D 71 and 73: neither beside a device nor after it is gone."""
    phone, started = begun("owner")
    data = {"activation": started["activation"], "country": "SG", "national": "81234567"}
    assert refused(phone.call, "POST", "activation/code", data).code == "device_must_agree"
    DeviceGrant.objects.filter(user=person("owner")).update(
        state="ended", confirmed=False, ended_at=timezone.now()
    )
    phone, started = begun("owner")
    assert not started["may_add_number"]
    data = {"activation": started["activation"], "country": "SG", "national": "81234567"}
    assert refused(phone.call, "POST", "activation/code", data).code == "number_not_allowed"
    assert not OutboxMessage.objects.filter(channel="sms").exists()


def test_recovery_with_the_pin_on_the_number_first_used_is_at_once_and_retires_the_old_phone():
    who = PLAYS["phone_user"]
    old = demo_phone()
    phone = new_phone()
    started = phone.start(who.username, who.password)
    assert started["agreement"]["pin_may_replace"]
    phone.get_code(started)
    code = code_sent_to(who.username)
    error = refused(phone.activate, started, code, "g7#Qz", recovery_pin="0000")
    assert (error.code, error.error["tries_left"]) == ("wrong_pin", 4)
    phone.activate(started, code, "g7#Qz", recovery_pin=PIN)
    assert refused(old.waiting).code == "phone_retired"
    assert PhoneUser.objects.filter(user=person("phone_user"), is_active=True).count() == 1
    assert OutboxMessage.objects.filter(event="phone_activated").count() == 1


def test_five_wrong_recovery_pins_end_that_way():
    who = PLAYS["phone_user"]
    phone, started = begun("phone_user")
    phone.get_code(started)
    code = code_sent_to(who.username)
    for _ in range(5):
        refused(phone.activate, started, code, "g7#Qz", recovery_pin="0000")
    error = refused(phone.activate, started, code, "g7#Qz", recovery_pin=PIN)
    assert error.code == "too_many_attempts"


def test_without_pin_and_device_there_is_a_waiting_time_that_the_client_can_end():
    who = PLAYS["phone_user"]
    phone, started = begun("phone_user")
    phone.get_code(started)
    code = code_sent_to(who.username)
    answered = phone.activate(started, code, "g7#Qz", accepts_wait=True)
    assert answered["state"] == "waiting"
    assert demo_phone().waiting() == []  # the old phone still works
    assert OutboxMessage.objects.filter(event="activation_waiting").count() == 1
    error = refused(phone.activate, started, code, "g7#Qz", accepts_wait=True)
    assert error.code == "still_waiting"
    PhoneActivation.objects.update(ready_at=timezone.now() - timedelta(seconds=1))
    done = phone.activate(started, code, "g7#Qz", accepts_wait=True)
    assert done["username"] == who.username
    assert refused(demo_phone().waiting).code == "phone_retired"


def test_the_link_in_the_message_ends_a_waiting_activation(client):
    from sls.activation.operations import cancel_token

    who = PLAYS["phone_user"]
    phone, started = begun("phone_user")
    phone.get_code(started)
    code = code_sent_to(who.username)
    phone.activate(started, code, "g7#Qz", accepts_wait=True)
    link = f"/phone/activation/cancel/{cancel_token(PhoneActivation.objects.get())}/"
    assert client.get(link).status_code == 200
    assert PhoneActivation.objects.get().state == "waiting"
    assert client.post(link).status_code == 200
    PhoneActivation.objects.update(ready_at=timezone.now())
    error = refused(phone.activate, started, code, "g7#Qz", accepts_wait=True)
    assert error.code == "activation_over"
    assert client.post(link).status_code == 409
    assert client.get("/phone/activation/cancel/forged/").status_code == 409


@pytest.mark.parametrize("what", ["is_active", "password", "locked_at"])
def test_whatever_changed_since_the_password_no_phone_becomes_active(what):
    phone, started = begun()
    phone.get_code(started)
    code = code_sent_to(NEW.username)
    values = {"is_active": False, "password": "x", "locked_at": timezone.now()}
    type(person("no_device")).objects.filter(username=NEW.username).update(**{what: values[what]})
    assert refused(phone.activate, started, code, "g7#Qz").status in (404, 410)
    assert Phone.objects.count() == 1


# --- Rows -----------------------------------------------------------------------------------------------------


def test_an_activation_leaves_these_audit_rows_and_no_secret_in_them():
    before = AuditEvent.objects.count()
    phone = enrol(NEW.username, NEW.password)
    rows = AuditEvent.objects.filter(number__gt=before).order_by("number")
    assert [row.event for row in rows] == [
        "sls.phone.activation_started",
        "sls.phone.code_sent",
        "sls.phone.activated",
    ]
    assert {row.subject for row in rows} == {NEW.username}
    facts = json.dumps([row.facts for row in rows])
    assert code_sent_to(NEW.username) not in facts
    assert "g7#Qz" not in facts
    assert phone.phone in facts
    assert list(audit.broken_rows()) == []


def test_a_failing_audit_insert_leaves_no_phone(monkeypatch):
    phone, started = begun()
    phone.get_code(started)
    code = code_sent_to(NEW.username)

    def fail(**row):
        raise RuntimeError("no chain")

    monkeypatch.setattr("portal.audit.record", fail)
    with pytest.raises(RuntimeError):
        phone.activate(started, code, "g7#Qz")
    assert not PhoneUser.objects.filter(user=person("no_device")).exists()
    assert PhoneActivation.objects.get().state == "open"


def test_adding_a_user_needs_the_pin_of_the_phone():
    phone, started = begun(phone=demo_phone())
    phone.get_code(started)
    code = code_sent_to(NEW.username)
    assert refused(phone.activate, started, code, "0000").code == "wrong_pin"
    stranger = new_phone()
    assert refused(stranger.activate, started, code, PIN).code == "activation_over"
    phone.activate(started, code, PIN)


def test_a_username_that_is_on_the_phone_is_not_added_twice():
    phone = demo_phone()
    who = PLAYS["phone_user"]
    assert refused(phone.start, who.username, who.password).code == "already_on_phone"


# --- Lost -----------------------------------------------------------------------------------------------------


def test_the_lost_page_says_the_same_and_only_freezes():
    pages = {}
    who = PLAYS["phone_user"]
    for name, typed in (("right", who.password), ("wrong", "not it")):
        page = Client().post("/phone/lost/", {"username": who.username, "password": typed})
        pages[name] = re.sub(rb'name="csrfmiddlewaretoken" value="\w+"', b"", page.content)
        assert Phone.objects.get().state == "frozen"
        if name == "right":
            assert refused(demo_phone().waiting).code == "phone_frozen"
    assert pages["right"] == pages["wrong"]
    assert OutboxMessage.objects.filter(event="phone_frozen").count() == 1


def test_a_wrong_password_freezes_nothing():
    Client().post("/phone/lost/", {"username": PLAYS["phone_user"].username, "password": "no"})
    assert Phone.objects.get().state == "active"
