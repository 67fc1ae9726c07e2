"""SMPP by real connections on loopback: what a message centre takes, refuses, and how it fails (I 181)."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from portal.outbox.channels import reaching, routes
from portal.outbox.channels.base import DeliveryError, Message
from tests import smsc

NUMBER, CODE = "+447700900123", "204816"
PASSWORD = "s/cret77"
BUSY, THROTTLED, NO_NUMBER = 0x14, 0x58, 0x0B


@pytest.fixture(scope="module")
def real() -> Iterator[smsc.Process]:
    with smsc.real("portal", PASSWORD) as centre:
        yield centre


@pytest.fixture
def broken(monkeypatch, settings) -> Iterator[smsc.Broken]:
    monkeypatch.setattr(reaching, "SECONDS", 1.0)
    centre = smsc.Broken()
    settings.SMS_PROVIDERS = {"main": url_of(centre.port)}
    yield centre
    centre.stop()


def url_of(port: int, sender: str = "Portal", password: str = "s%2Fcret77") -> str:
    return f"smpp+tcp://portal:{password}@127.0.0.1:{port}/?from={sender}"


def an_sms(text: str = f"{CODE} is your code", to: str = NUMBER, seconds: int = 600) -> Message:
    return Message(
        key="code:1:7:sms",
        channel="sms",
        event="code",
        to=to,
        username="robin",
        language="en",
        subject="",
        text=text,
        expires_at=timezone.now() + timedelta(seconds=seconds),
    )


def send(message: Message) -> str:
    provider = routes.provider("main")
    assert provider is not None
    return provider.send(message)


def failure(message: Message | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(message or an_sms())
    assert NUMBER not in str(caught.value)
    assert CODE not in str(caught.value)
    return caught.value


# --- A real message centre -----------------------------------------------------------------------------


def test_a_message_is_submitted_and_its_id_returned(real: smsc.Process, settings):
    settings.SMS_PROVIDERS = {"main": url_of(real.port)}
    gateway_id = send(an_sms("204816 costs 3€ [once]"))
    (took,) = real.taken()
    assert took["text"] == "204816 costs 3€ [once]"
    assert (took["to"], took["from"]) == ("447700900123", "Portal")
    assert took["kinds"] == [5, 0, 1, 1]  # a name; an international number of the telephone plan
    assert (took["coding"], took["part"], took["receipt"]) == (0, None, 0)
    assert gateway_id.startswith("m-")


def test_the_centre_keeps_it_no_longer_than_it_lives(real: smsc.Process, settings):
    settings.SMS_PROVIDERS = {"main": url_of(real.port)}
    for seconds, kept in ((600, 600), (90_061, 90_061), (9_999_999, 259_200), (-5, 1)):
        send(an_sms(seconds=seconds))
        (took,) = real.taken()
        assert kept - 30 <= took["seconds"] <= kept


@pytest.mark.parametrize(
    ("text", "coding", "parts"),
    [
        ("您的验证码是 204816 😀", 8, 1),
        ("验" * 66 + "😀" + "码" * 66, 8, 3),  # no pair is torn
        ("a" * 152 + "€" + "b" * 153, 0, 3),  # nor an escape from what it escapes
    ],
)
def test_whatever_its_length_the_text_arrives_whole(
    real: smsc.Process, settings, text: str, coding: int, parts: int
):
    settings.SMS_PROVIDERS = {"main": url_of(real.port)}
    send(an_sms(text))
    took = real.taken()
    assert len(took) == parts
    assert "".join(part["text"] for part in took) == text
    assert {part["coding"] for part in took} == {coding}
    if parts > 1:
        marks = {part["part"][0][:6] for part in took}  # concatenated, three bytes, one mark
        assert len(marks) == 1
        numbers = [part["part"][0][6:] for part in took]
        assert numbers == [f"{parts:02}{number:02}" for number in range(1, parts + 1)]


@pytest.mark.parametrize(
    ("sender", "kinds"), [("+15005550006", [1, 1]), ("72345", [0, 1]), ("My Broker", [5, 0])]
)
def test_a_sender_is_a_number_a_short_code_or_a_name(real, settings, sender: str, kinds):
    settings.SMS_PROVIDERS = {"main": url_of(real.port, sender.replace(" ", "%20"))}
    send(an_sms())
    (took,) = real.taken()
    assert (took["from"], took["kinds"][:2]) == (sender.removeprefix("+"), kinds)


def test_a_wrong_password_is_the_providers_fault_and_not_the_numbers(real, settings):
    settings.SMS_PROVIDERS = {"main": url_of(real.port, password="other")}
    error = failure()
    assert str(error) == "bind_transmitter 0x0000000D"
    assert (error.permanent, error.unsure) == (False, False)


def test_a_number_that_is_none_is_refused_for_good(real, settings):
    settings.SMS_PROVIDERS = {"main": url_of(real.port)}
    error = failure(an_sms(to="+15005550001"))
    assert str(error) == "submit_sm 0x0000000B"
    assert (error.permanent, error.unsure) == (True, False)


# --- One that fails ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [BUSY, THROTTLED, 0x45, 0x400])
def test_a_centre_that_is_busy_is_asked_again(broken: smsc.Broken, status: int):
    broken.answers = [0, status]
    error = failure()
    assert str(error) == f"submit_sm 0x{status:08X}"
    assert (error.permanent, error.unsure) == (False, False)


def test_who_took_one_part_and_not_the_next_may_have_sent_it(broken: smsc.Broken):
    broken.answers = [0, 0, THROTTLED]
    error = failure(an_sms("a" * 161))
    assert (str(error), error.unsure) == ("submit_sm 0x00000058", True)


@pytest.mark.parametrize(
    ("answers", "is_unsure"),
    [
        ([], False),  # hangs up at once
        ([None], False),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], False),
        ([b"\0\0\0\x10\0\0\0\x99\0\0\0\0\0\0\0\1"], False),  # a command that nobody knows
        ([b"\0\0\0\x03"], False),
        ([b"\xff\xff\xff\xff"], False),
        ([0], True),  # hangs up when the message has gone out
        ([0, None], True),
        ([0, b"\0\0\0\x10\x80\0\0\x04\0\0"], True),
        ([0, smsc.pdu(smsc.UNBIND, 0, 1)], True),
        ([0, b"\xff\xff\xff\xff"], True),
    ],
)
def test_a_centre_that_fails_is_left_in_time(broken: smsc.Broken, answers, is_unsure: bool):
    broken.answers = answers
    start = time.monotonic()
    error = failure()
    assert time.monotonic() - start < 5
    assert (error.permanent, error.unsure) == (False, is_unsure)


def test_nobody_there_is_sure(broken: smsc.Broken):
    broken.stop()
    error = failure()
    assert (str(error), error.unsure) == ("ConnectionRefusedError", False)


def test_its_questions_are_answered_meanwhile(broken: smsc.Broken):
    asked = smsc.pdu(smsc.ENQUIRE, 0, 4711)
    broken.answers = [0, asked, smsc.pdu(smsc.SUBMIT | smsc.RESPONSE, 0, 2), 0]
    assert send(an_sms()) == "m-7"
    assert broken.got[2][:2] == (smsc.ENQUIRE | smsc.RESPONSE, 4711)


def test_a_message_that_was_taken_is_sent_whatever_comes_then(broken: smsc.Broken):
    broken.answers = [0, 0]
    assert send(an_sms()) == "m-7"


def test_the_same_message_has_the_same_mark_when_it_is_sent_twice(broken: smsc.Broken):
    broken.answers = [0, 0, 0, 0]
    for _ in range(2):
        send(an_sms("a" * 161))
    marks = {b[b.index(b"\x05\0\x03") + 3] for c, _, b in broken.got if c == smsc.SUBMIT}
    assert len(marks) == 1


def test_without_tls_on_the_other_side_nothing_is_said(broken: smsc.Broken, settings):
    broken.answers = [None]
    settings.SMS_PROVIDERS = {"main": url_of(broken.port).replace("smpp+tcp", "smpp")}
    error = failure()
    assert not error.unsure
    assert smsc.BIND not in [command for command, _sequence, _body in broken.got]


def test_neither_the_log_nor_the_provider_shows_a_secret(broken: smsc.Broken, caplog):
    caplog.set_level(logging.DEBUG)
    broken.answers = [0, THROTTLED]
    failure()
    provider = routes.provider("main")
    assert not any(secret in caplog.text for secret in (CODE, NUMBER[1:], PASSWORD))
    assert PASSWORD not in repr(provider)
    assert "s%2Fcret77" not in repr(provider)


@pytest.mark.parametrize(
    "url",
    [
        "smpp://portal:ninechars@smsc.example/?from=Portal",
        "smpp://portal:secret@smsc.example/?from=TwelveLetter",
        "smpp+tcp://portal:secret@smsc.example/?from=Portal",
        "smpp+http://portal:secret@127.0.0.1/?from=Portal",
        "smpp://portal:secret@smsc.example/",
    ],
)
def test_a_malformed_address_stops_the_start(settings, url: str):
    settings.SMS_PROVIDERS = {"main": url}
    with pytest.raises(ImproperlyConfigured) as caught:
        routes.check()
    assert "main" in str(caught.value)
    assert "secret" not in str(caught.value).replace("system_id:password", "")


def test_its_ports_are_those_of_smpp(settings):
    settings.SMS_PROVIDERS = {
        "far": "smpp://portal:secret@smsc.example/?from=Portal",
        "near": "smpp+tcp://portal:secret@localhost/?from=Portal",
    }
    ports = [provider.port for name in ("far", "near") if (provider := routes.provider(name))]
    assert ports == [3550, 2775]
