"""Who carries an SMS to which country, and who takes over when he fails: real HTTP gateways on loopback."""

import json
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from portal import throttle
from portal.models import Allowance, Channel, OutboxAttempt, OutboxMessage, SmsProvider
from portal.outbox import budgets, countries, delivery, enqueue
from portal.outbox.channels import reaching, routes
from portal.outbox.channels.base import Message
from tests.conftest import person, use_up
from tests.gateway import Gateway

BRITISH, CHINESE, INDIAN = "+447700900123", "+8613800138000", "+919876543210"


@pytest.fixture(autouse=True)
def _quick(monkeypatch, settings):
    monkeypatch.setattr(reaching, "SECONDS", 1.0)
    monkeypatch.setattr(enqueue, "_announcer", SimpleNamespace(hint=lambda *told: None))
    settings.MESSAGE_CHANNELS = {"sms": "portal.outbox.channels.sms"}


@pytest.fixture
def first() -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.says(201, {"sid": "SM-first"})
    yield gateway
    gateway.stop()


@pytest.fixture
def second() -> Iterator[Gateway]:
    gateway = Gateway()
    gateway.says(202, {"message_uuid": "uuid-second"})
    yield gateway
    gateway.stop()


@pytest.fixture(autouse=True)
def _two(settings, first: Gateway, second: Gateway):
    settings.SMS_PROVIDERS = {
        "one": f"twilio+http://AC1:t@127.0.0.1:{first.port}/?from=+15005550006",
        "two": f"vonage+http://key:secret@127.0.0.1:{second.port}/?from=Portal&signing=abc",
    }
    settings.SMS_ROUTES = "CN=two,one; *=one,two"


def queued(to: str = BRITISH, fact: str = "1") -> OutboxMessage:
    row = enqueue.message(
        user=person("owner"),
        event="sms_code",
        fact=fact,
        now=timezone.now(),
        channel=Channel.SMS,
        to=to,
        life=timedelta(minutes=10),
        code="204816",
        minutes=10,
    )
    enqueue.enqueue([row])
    return row


def delivered(row: OutboxMessage) -> OutboxMessage:
    delivery.deliver(row.pk, now=timezone.now())
    return OutboxMessage.objects.get(pk=row.pk)


def tries(row: OutboxMessage) -> list[tuple[object, ...]]:
    rows = OutboxAttempt.objects.filter(message=row).order_by("number")
    return list(rows.values_list("provider", "outcome", "answer", "unsure"))


def test_the_country_of_the_number_says_who_is_first(on_stage):
    assert delivered(queued(BRITISH)).provider == "one"
    row = delivered(queued(CHINESE, "2"))
    assert (row.provider, row.gateway_id, row.country) == ("two", "uuid-second", "CN")


def test_the_other_takes_over_at_once_when_one_fails(on_stage, first):
    first.says(503, b"")
    row = delivered(queued())
    assert (row.state, row.provider, row.maybe_twice) == ("sent", "two", False)
    assert tries(row) == [("one", "failed", "503", False), ("two", "handed_over", "", False)]


def test_a_double_is_marked_when_the_first_may_have_taken_it(on_stage, first):
    first.answer = b""
    row = delivered(queued())
    assert (row.state, row.provider, row.maybe_twice) == ("sent", "two", True)
    assert tries(row)[0][-1]


def test_who_has_failed_lately_is_not_asked_first(on_stage, first, second):
    first.says(503, b"")
    delivered(queued())
    first.says(201, {"sid": "SM-back"})
    assert delivered(queued(fact="2")).provider == "two"
    assert len(first.got) == 1
    row = SmsProvider.objects.get()
    assert (row.name, row.failures, row.answer) == ("one", 1, "503")
    assert row.rests_until - row.failed_at == routes.FIRST_REST


def test_after_his_rest_he_is_asked_again_and_his_failures_are_forgotten(on_stage, first):
    first.says(503, b"")
    delivered(queued())
    SmsProvider.objects.update(rests_until=timezone.now())
    first.says(201, {"sid": "SM-back"})
    assert delivered(queued(fact="2")).gateway_id == "SM-back"
    assert SmsProvider.objects.get().failures == 0
    assert delivered(queued(fact="3")).provider == "one"


def test_rests_grow_and_end_within_minutes(on_stage):
    now = timezone.now()
    pauses = []
    for _ in range(7):
        routes.rest("one", "503", now=now)
        pauses.append((SmsProvider.objects.get().rests_until - now).total_seconds())
    assert pauses == [30, 60, 120, 240, 480, 600, 600]


def test_when_all_fail_the_message_waits_and_everybody_is_asked_in_order(on_stage, first, second):
    first.says(503, b"")
    second.says(500, b"")
    row = delivered(queued())
    assert [one[0] for one in tries(row)] == ["one", "two"]
    assert (row.state, row.last_error) == ("queued", "500")
    assert row.next_try_at > timezone.now()
    first.says(201, {"sid": "SM-back"})
    assert delivery.deliver(row.pk, now=row.next_try_at)
    assert OutboxMessage.objects.get().provider == "one"


def test_a_refused_number_is_refused_by_all(on_stage, first, second):
    first.says(400, {"code": 21211})
    row = delivered(queued())
    assert (row.state, row.last_error) == ("failed", "400 21211")
    assert second.got == []
    assert not SmsProvider.objects.exists()


def test_a_provider_that_is_down_is_left_out_within_a_minute_for_all_messages(on_stage, first):
    first.stop()
    rows = [delivered(queued(fact=str(number))) for number in range(3)]
    assert {row.provider for row in rows} == {"two"}
    asked_first = [tries(row)[0][0] for row in rows]
    assert asked_first == ["one", "two", "two"]


def test_vonage_gets_what_its_interface_wants(on_stage, second):
    row = delivered(queued(CHINESE))
    head, _, body = second.got[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/messages HTTP/1.1")
    assert b"Basic a2V5OnNlY3JldA==" in head
    sent = json.loads(body)
    assert (sent["to"], sent["from"], sent["channel"]) == ("8613800138000", "Portal", "sms")
    assert sent["client_ref"] == str(row.pk)
    assert sent["webhook_url"].endswith(f"/messages/receipts/two/{row.pk}/")
    assert "204816" in sent["text"]
    assert 590 <= sent["ttl"] <= 600


@pytest.mark.parametrize(
    ("status", "told", "state", "words"),
    [
        (422, {"type": "https://developer.vonage.com/api-errors#1150"}, "failed", "422 1150"),
        (401, {"type": "https://developer.vonage.com/api-errors#unauthorized"}, "queued", "401"),
        (402, {}, "queued", "402"),
        (429, {"type": "x#1010"}, "queued", "429 1010"),
        (500, {}, "queued", "500"),
    ],
)
def test_vonages_refusals_are_told_apart(on_stage, settings, second, status, told, state, words):
    settings.SMS_ROUTES = "*=two"
    second.says(status, told)
    row = delivered(queued())
    assert (row.state, row.last_error) == (state, words)


def test_without_a_provider_the_message_is_set_aside_in_words(on_stage, settings):
    settings.SMS_PROVIDERS, settings.SMS_ROUTES = {}, ""
    row = delivered(queued())
    assert (row.state, row.last_error) == ("failed", "no SMS provider for this country")


def test_a_provider_for_development_writes_files(on_stage, settings):
    settings.SMS_PROVIDERS = {"dev": "folder://me:me@here/?from=Portal"}
    settings.SMS_ROUTES = ""
    row = delivered(queued())
    assert (row.state, row.provider) == ("sent", "dev")
    (file,) = settings.MESSAGE_FOLDER.iterdir()
    assert "204816" in file.read_text()


@pytest.mark.parametrize(
    ("providers", "order"),
    [
        ({"one": "carrier://a:b@host/?from=1"}, ""),
        ({"One!": "twilio://a:pssst@host/?from=1"}, ""),
        ({"one": "vonage://key@host/?from=1"}, ""),
        ({"one": "vonage+http://key:pssst@sms.example/?from=1"}, ""),
        ({"one": "twilio://a:pssst@host/?from=1"}, "CN=two"),
        ({"one": "twilio://a:pssst@host/?from=1"}, "China=one"),
        ({"one": "twilio://a:pssst@host/?from=1"}, "CN"),
    ],
)
def test_malformed_providers_and_routes_stop_the_start(settings, providers, order):
    settings.SMS_PROVIDERS, settings.SMS_ROUTES = providers, order
    with pytest.raises(ImproperlyConfigured) as caught:
        routes.check()
    assert "pssst" not in str(caught.value)


# --- Budgets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "key"),
    [
        (throttle.SMS_SENT_TO_USER, "user"),
        (throttle.SMS_SENT_TO_NUMBER, BRITISH),
        (throttle.SMS_SENT_TO_COUNTRY, "GB"),
        (throttle.SMS_SENT, "all"),
    ],
)
def test_over_budget_nothing_is_sent_and_staff_are_alerted(on_stage, first, caplog, limit, key):
    key = {"user": str(person("owner").pk), BRITISH: budgets.number_key(BRITISH)}.get(key, key)
    use_up(limit, key, timezone.now())
    row = delivered(queued())
    assert (row.state, row.last_error) == ("refused", f"{limit.name} (country GB)")
    assert tries(row) == [("", "refused", row.last_error, False)]
    assert first.got == []
    assert "over budget" in caplog.text
    assert BRITISH not in caplog.text


def test_one_countrys_budget_is_no_others(on_stage):
    use_up(throttle.SMS_SENT_TO_COUNTRY, "CN", timezone.now())
    assert delivered(queued(CHINESE)).state == "refused"
    assert delivered(queued(BRITISH, "2")).state == "sent"


def test_tries_of_one_message_are_spent_once(on_stage, settings, first):
    settings.SMS_ROUTES = "*=one"
    first.says(503, b"")
    row = delivered(queued())
    delivery.deliver(row.pk, now=row.next_try_at)
    left = throttle.left(
        (throttle.SMS_SENT_TO_NUMBER, budgets.number_key(BRITISH)), now=timezone.now()
    )
    assert left == throttle.SMS_SENT_TO_NUMBER.size - 1
    assert not Allowance.objects.filter(key__contains=BRITISH[1:]).exists()


# --- Countries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "country"),
    [
        (BRITISH, "GB"),
        (CHINESE, "CN"),
        (INDIAN, "IN"),
        ("+15005550006", "US"),
        ("+85251234567", "HK"),
        ("+870773111632", "*"),  # satellite: no country
        ("+999123456", "*"),
        ("", "*"),
    ],
)
def test_a_number_belongs_to_a_country_or_to_none(number: str, country: str):
    assert countries.of(number) == country


def test_each_country_has_its_advice_and_its_price():
    assert any("do-not-disturb" in str(words) for words in countries.row("IN").advice)
    assert countries.row("CN").advice
    assert countries.row("XX") == countries.row("*")
    assert all(row.weight > 0 for row in countries.COUNTRIES.values())


def test_a_message_is_never_shown_with_its_number():
    message = Message("k", "sms", "e", BRITISH, "u", "en", "", "204816", timezone.now())
    assert BRITISH not in repr(message)
