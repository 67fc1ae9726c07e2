"""SMS codes: a number is verified, codes are asked at the login, and a permanent device ends them (KB1131)."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import audit, throttle, vault
from portal.errors import Refused
from portal.models import Allowance, AuditEvent, Channel, OutboxMessage, PhoneNumber
from sls.devices import challenges, making, queries
from sls.devices import operations as devices
from sls.login import completion
from sls.login import operations as login
from sls.mobile import operations
from sls.mobile import queries as mobile
from sls.models import Challenge, DeviceGrant, NumberCheck, SecurityDevice
from tests.conftest import NOW, PLAYS, LogIn, by, password, person
from tests.sls.login.test_operations import begin, nobody, read

pytestmark = pytest.mark.usefixtures("on_stage")
WHO = "no_device"
MOBILE = "/settings/user/mobile/"
MINUTE = timedelta(seconds=60)
INSTANT = timedelta(microseconds=1)


def number(plays=WHO):
    return PhoneNumber.objects.get(entity=person(plays).entity_id, is_default=True)


def newest_code(challenge=None):
    rows = OutboxMessage.objects.filter(channel=Channel.SMS)
    if challenge is not None:  # the clock of a test may stand still
        rows = rows.filter(idempotency_key__contains=str(challenge.pk))
    row = rows.order_by("-created_at").first()
    context = json.loads(vault.sealed_field(row, "context").open_from(row))
    return context["code"]


def wrong(code):
    return code[:-1] + ("7" if code[-1] != "7" else "6")


def verified(now=NOW):
    check = operations.send_code(number(), by=by(WHO), now=now)
    operations.verify(mobile.open_check(person(WHO)), response=newest_code(), by=by(WHO), now=now)
    return NumberCheck.objects.get(pk=check.pk)


def in_use(now=NOW):
    verified(now=now)
    return operations.use_for_login(number(), by=by(WHO), now=now)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def attempt(now=NOW):
    return read(begin(WHO, now=now).attempt)


def complete(attempt, response, now=NOW):
    return completion.complete(attempt, response=response, by=nobody(), now=now)


# --- On the pages -----------------------------------------------------------------------------------


def test_a_user_without_a_device_verifies_his_number_and_logs_in_with_sms_codes(log_in: LogIn):
    client = log_in(WHO)
    assert f'href="{MOBILE}"' in client.get("/settings/user/").content.decode()
    html = client.get(MOBILE).content.decode()
    assert number().e164 not in html
    assert number().e164[-3:] in html
    assert client.post(f"{MOBILE}{number().pk}/verify/").url == MOBILE + "code/"
    page = client.post(MOBILE + "code/", {"response": wrong(newest_code())})
    assert 'data-code="invalid_response"' in page.content.decode()
    code = newest_code()
    assert client.post(MOBILE + "code/", {"response": f"{code[:3]} {code[3:]}"}).url == MOBILE
    assert number().verified_at
    page = client.post(f"{MOBILE}{number().pk}/use/")
    assert page.url == "/settings/user/secure-login/"
    OutboxMessage.objects.filter(channel=Channel.SMS).delete()

    client = Client()
    who = PLAYS[WHO]
    page = client.post("/login/", {"username": who.username, "password": password(WHO)})
    assert page.url == "/login/code/"
    html = client.get("/login/code/").content.decode()
    assert "data-countdown" in html
    assert 'inputmode="numeric"' in html
    assert 'href="/login/choose/"' in html
    assert newest_code() not in html
    assert client.post("/login/code/", {"response": newest_code()}).url == "/"
    assert client.get("/settings/user/secure-login/").status_code == 200


def test_a_new_code_is_sent_after_a_minute_and_kills_the_old_one(log_in: LogIn):
    in_use()
    client = Client()
    client.post("/login/", {"username": PLAYS[WHO].username, "password": password(WHO)})
    html = client.post("/login/code/again/").content.decode()
    assert 'data-code="too_soon"' in html
    assert 'action="/login/code/"' in html
    old = newest_code()
    Challenge.objects.update(issued_at=timezone.now() - MINUTE)
    assert client.post("/login/code/again/").url == "/login/code/"
    if newest_code() == old:
        return  # one time in a million
    page = client.post("/login/code/", {"response": old})
    assert 'data-code="invalid_response"' in page.content.decode()
    assert client.post("/login/code/", {"response": newest_code()}).url == "/"


def test_the_message_is_one_line_with_the_code_first_and_no_link(settings):
    from portal.outbox import rendering

    in_use()
    row = OutboxMessage.objects.get(channel=Channel.SMS)
    assert row.expires_at == NOW + settings.SMS_CODE_LIFE
    text = rendering.render(row).text
    assert re.match(r"\d{6} is your code", text)
    assert "http" not in text


# --- The code ---------------------------------------------------------------------------------------


def test_only_a_keyed_fingerprint_of_the_code_is_kept():
    in_use()
    at = attempt()
    code = newest_code(at.challenge)
    assert re.fullmatch(r"\d{6}", code)
    assert at.challenge.question == ""
    assert code not in at.challenge.expected
    assert at.challenge.expires_at == NOW + timedelta(minutes=10)
    assert code not in str(list(AuditEvent.objects.values_list("facts", flat=True)))
    assert code not in str(list(OutboxMessage.objects.values()))


def test_the_code_works_once_in_its_session_and_its_time():
    in_use()
    first, second = attempt(), attempt()
    code = newest_code(first.challenge)
    if newest_code(second.challenge) != code:
        assert code_of(complete, second, code) == "invalid_response"
    late = NOW + timedelta(minutes=10)
    assert code_of(complete, first, code, now=late) == "challenge_expired"
    assert complete(first, code, now=late - INSTANT)
    assert code_of(complete, first, code) == "challenge_expired"


def test_five_wrong_tries_use_up_the_code_and_lock_the_second_factor():
    in_use()
    at = attempt()
    code = newest_code(at.challenge)
    for _ in range(5):
        assert code_of(complete, at, wrong(code)) == "invalid_response"
    assert code_of(complete, at, code) in ("challenge_expired", "too_many_attempts")
    name = person(WHO).username
    assert throttle.used_up([(throttle.SECOND_FACTOR_OF_USER, name)], now=NOW)


@pytest.mark.parametrize("typed", ["", " ", "000", "１２３４５６", "x" * 40])
def test_nonsense_is_a_wrong_code(typed):
    in_use()
    assert code_of(complete, attempt(), typed) == "invalid_response"


def test_choosing_sms_again_at_once_sends_nothing_new():
    in_use()
    at = attempt()
    sent = OutboxMessage.objects.filter(channel=Channel.SMS).count()
    login.choose(at, grant_id=at.grant_id, by=nobody(), now=NOW + MINUTE - INSTANT)
    assert OutboxMessage.objects.filter(channel=Channel.SMS).count() == sent
    login.choose(read(at), grant_id=at.grant_id, by=nobody(), now=NOW + MINUTE)
    assert OutboxMessage.objects.filter(channel=Channel.SMS).count() == sent + 1


def test_messages_are_limited_by_user_and_by_number():
    in_use()
    for _ in range(throttle.SMS_OF_USER.size - 1):
        attempt()
    assert code_of(begin, WHO) == "too_many_messages"
    sent = OutboxMessage.objects.filter(channel=Channel.SMS).count()
    assert sent == throttle.SMS_OF_USER.size
    Allowance.objects.filter(limit=throttle.SMS_OF_USER.name).delete()
    assert code_of(begin, WHO) == "too_many_messages"  # the number has had enough, too
    (counted,) = Allowance.objects.filter(limit=throttle.SMS_OF_NUMBER.name)
    assert (
        number().e164[-6:] not in counted.key
    )  # it is sealed elsewhere, and does not lie open here


# --- Numbers ----------------------------------------------------------------------------------------


def test_verifying_is_on_record_without_the_number():
    check = verified()
    assert check.state == "verified"
    row = AuditEvent.objects.last()
    assert (row.event, row.subject) == ("sls.number.verified", "robin.new")
    assert number().e164 not in str(list(AuditEvent.objects.values_list("facts", flat=True)))
    assert not DeviceGrant.objects.filter(user=person(WHO)).exists()


def test_the_number_of_somebody_else_does_not_exist(log_in: LogIn):
    client = log_in(WHO)
    foreign = number("stranger").pk
    assert client.post(f"{MOBILE}{foreign}/verify/").status_code == 404
    assert client.get(f"{MOBILE}{foreign}/use/").status_code == 404
    assert code_of(operations.send_code, number("stranger"), by=by(WHO), now=NOW)
    assert not OutboxMessage.objects.filter(channel=Channel.SMS).exists()


def test_another_user_cannot_use_the_code():
    operations.send_code(number(), by=by(WHO), now=NOW)
    check = mobile.open_check(person(WHO))
    code = newest_code()
    assert code_of(operations.verify, check, response=code, by=by("requester"), now=NOW) == (
        "number_check_over"
    )
    assert code_of(
        operations.verify, check, response=code, by=by(WHO, session="t" * 64), now=NOW
    ) == ("challenge_expired")


def test_an_unverified_number_is_not_used_for_the_login():
    operations.send_code(number(), by=by(WHO), now=NOW)
    assert code_of(operations.use_for_login, number(), by=by(WHO), now=NOW) == (
        "number_not_verified"
    )


@pytest.mark.parametrize("plays", ["owner", "requester", "phone_user"])
def test_beside_a_permanent_device_there_are_no_sms_codes(plays):
    operations.send_code(number(plays), by=by(plays), now=NOW)
    check = mobile.open_check(person(plays))
    operations.verify(check, response=newest_code(), by=by(plays), now=NOW)
    assert code_of(operations.use_for_login, number(plays), by=by(plays), now=NOW) == (
        "permanent_device_active"
    )


def test_the_first_permanent_device_ends_sms_codes_and_they_do_not_come_back():
    grant = in_use()
    card = making.new_code_card(serial="SCC-00000001", now=NOW)
    card.save(force_insert=True)
    devices.hand_over(card, person(WHO), by=by("administrator"), now=NOW)
    grant.refresh_from_db()
    assert grant.state == "ended"
    assert code_of(operations.use_for_login, number(), by=by(WHO), now=NOW) == (
        "permanent_device_active"
    )


def test_a_permanent_device_got_by_any_way_silences_sms_at_once_and_the_sweep_records_it():
    grant = in_use()
    card = making.new_code_card(serial="SCC-00000001", now=NOW)
    card.save(force_insert=True)
    devices.activate(card, person(WHO), now=NOW)
    assert [g.device for g in queries.usable_grants(person(WHO), now=NOW)] == [card]
    devices.close_expired(now=NOW)
    devices.close_expired(now=NOW)
    grant.refresh_from_db()
    assert grant.state == "ended"
    assert AuditEvent.objects.filter(event="sls.sms.ended", subject="robin.new").count() == 1


def test_a_number_is_added_only_with_the_permanent_device_of_its_person():
    stolen = {"by": by(WHO), "now": NOW, "proven_with": None}
    assert code_of(operations.add, "+447400123456", **stolen) == "permanent_device_first"
    code = DeviceGrant.objects.get(device__kind="temporary_code")
    mine = {"by": by("temporary_code"), "now": NOW}
    assert code_of(operations.add, "+447400123456", proven_with=code, **mine) == (
        "permanent_device_first"
    )
    dsc = DeviceGrant.objects.get(user=person("owner"), device__kind="dsc_plus")
    added = operations.add("+447400123456", proven_with=dsc, by=by("owner"), now=NOW)
    assert (added.entity, added.verified_at) == (person("owner").entity, None)
    told = OutboxMessage.objects.filter(event="number_added").values_list(
        "user__username", flat=True
    )
    assert {"robin.savings", "robin.calder", "robin.new"} <= set(told)
    assert len(told) == person("owner").entity.users.count()
    row = AuditEvent.objects.last()
    assert (row.event, row.facts) == (
        "sls.number.added",
        {"number": "+44 ••• 456", "new": True},
    )


def test_new_numbers_are_capped():
    dsc = DeviceGrant.objects.get(user=person("owner"), device__kind="dsc_plus")
    for n in range(throttle.NEW_NUMBERS_OF_USER.size):
        operations.add(f"+44740012345{n}", proven_with=dsc, by=by("owner"), now=NOW)
    assert code_of(operations.add, "+447400123459", proven_with=dsc, by=by("owner"), now=NOW) == (
        "too_many_numbers"
    )


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("07400123456", "number_has_prefix"),
        ("7400 123456", "number_not_digits"),
        ("+447400123456", "number_not_digits"),
        ("2079460000", "number_invalid"),
        ("12", "number_invalid"),
    ],
)
def test_what_is_no_mobile_number_is_explained(log_in: LogIn, typed, code):
    client = log_in("owner")
    html = client.post(MOBILE + "add/", {"country": "GB", "national": typed}).content.decode()
    assert f'data-code="{code}"' in html


def test_a_number_is_added_on_the_page_by_a_fresh_proof(log_in: LogIn):
    client = log_in("owner")
    page = client.post(MOBILE + "add/", {"country": "GB", "national": "7400123456"})
    assert page.url == MOBILE
    assert "+44 ••• 456" in client.get(MOBILE).content.decode()
    session = client.session
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    assert client.get(MOBILE + "add/").url.startswith("/login/confirm/")


def test_a_failing_audit_sends_nothing(monkeypatch):
    in_use()
    before = (OutboxMessage.objects.count(), Challenge.objects.count(), spent())

    def fail(**row):
        raise RuntimeError("no audit")

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        operations.send_code(number(), by=by(WHO), now=NOW)
    assert (OutboxMessage.objects.count(), Challenge.objects.count(), spent()) == before


def spent():
    return list(Allowance.objects.order_by("pk").values_list("limit", "key", "spent"))


def test_an_sms_device_without_a_drawn_code_proves_nothing():
    grant = in_use()
    device = SecurityDevice.objects.get(pk=grant.device_id)
    empty = Challenge(device=device, question="", expected="")
    for typed in ("", "000000"):
        assert not challenges._is_right(empty, typed)
