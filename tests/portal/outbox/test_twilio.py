"""Twilio's interface by real HTTP on loopback: what it takes, refuses, and how it fails (I 181)."""

import json
import logging
import socket
import time
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from portal.outbox.channels import reaching, routes
from portal.outbox.channels.base import DeliveryError, Message
from tests.gateway import Gateway

NUMBER, CODE = "+447700900123", "204816"


@pytest.fixture
def gateway(settings, monkeypatch) -> Iterator[Gateway]:
    monkeypatch.setattr(reaching, "SECONDS", 1.0)
    server = Gateway()
    settings.SMS_PROVIDERS = {
        "main": f"twilio+http://AC1:t%2Fk@127.0.0.1:{server.port}/?from=+15005550006"
    }
    yield server
    server.stop()


def an_sms(seconds: int = 600) -> Message:
    return Message(
        key="code:1:7:sms",
        channel="sms",
        event="code",
        to=NUMBER,
        username="robin",
        language="en",
        subject="",
        text=f"{CODE} 代码 & more",
        expires_at=timezone.now() + timedelta(seconds=seconds),
    )


def send(message: Message) -> str:
    provider = routes.provider("main")
    assert provider is not None
    return provider.send(message)


def failure() -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(an_sms())
    assert NUMBER not in str(caught.value)
    assert CODE not in str(caught.value)
    return caught.value


def test_a_message_is_posted_as_a_form_and_its_id_returned(gateway: Gateway):
    gateway.says(201, {"sid": "SM123", "status": "queued"})
    assert send(an_sms()) == "SM123"
    head, _, body = gateway.got[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert lines[0] == "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{gateway.port}"
    secret = next(v for line in lines if (v := line.partition("Authorization: Basic ")[2]))
    assert b64decode(secret) == b"AC1:t/k"
    form = parse_qs(body.decode())
    assert form["To"] == [NUMBER]
    assert form["From"] == ["+15005550006"]
    assert form["Body"] == [f"{CODE} 代码 & more"]
    assert 590 <= int(form["ValidityPeriod"][0]) <= 600


def test_the_same_message_has_the_same_key_when_it_is_sent_twice(gateway: Gateway):
    gateway.says(201, {"sid": "SM1"})
    for _ in range(2):
        send(an_sms())
    keys = [
        next(line for line in raw.split(b"\r\n") if b"Idempotency" in line) for raw in gateway.got
    ]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("status", "body", "permanent", "words"),
    [
        (400, {"code": 21211, "message": f"'{NUMBER}' is no number"}, True, "400 21211"),
        (404, {"code": 20404}, True, "404 20404"),
        (400, b"<html>a proxy</html>", False, "400"),
        (401, {"code": 20003}, False, "401 20003"),
        (429, {"code": 20429}, False, "429 20429"),
        (429, b"", False, "429"),
        (500, b"boom", False, "500"),
        (503, {"code": 20503}, False, "503 20503"),
        (400, {"code": NUMBER}, False, "400"),
        (400, [1, 2], False, "400"),
        (400, b"[" * 60_000, False, "400"),
    ],
)
def test_an_answer_that_refuses_is_told_apart_from_one_that_is_busy(
    gateway: Gateway, status, body, permanent, words
):
    gateway.says(status, body if isinstance(body, bytes) else json.dumps(body).encode())
    error = failure()
    assert (str(error), error.permanent, error.unsure) == (words, permanent, False)


def test_a_redirect_is_not_followed(gateway: Gateway):
    other = Gateway()
    gateway.says(307, b"", f"Location: http://127.0.0.1:{other.port}/")
    error = failure()
    assert (str(error), error.permanent) == ("307", False)
    assert other.got == []
    other.stop()


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b'"SM1"', b"null"])
def test_a_message_that_was_taken_is_sent_whatever_else_the_gateway_says(gateway: Gateway, body):
    gateway.says(201, body)
    assert send(an_sms()) == ""


@pytest.mark.parametrize("answer", [b"", b"\x00\x01garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_garbage_is_tried_again_and_may_have_been_sent(gateway: Gateway, answer):
    gateway.answer = answer
    error = failure()
    assert not error.permanent
    assert error.unsure


def test_a_gateway_that_hangs_is_left_in_time(gateway: Gateway):
    gateway.answer = lambda connection: gateway.closed.wait(20)
    start = time.monotonic()
    error = failure()
    assert time.monotonic() - start < 5  # it would drip for ever
    assert (error.permanent, error.unsure) == (False, True)


def test_a_gateway_that_drips_is_left_in_time(gateway: Gateway):
    def drip(connection: socket.socket) -> None:
        while not gateway.closed.wait(0.2):
            connection.sendall(b"H")

    gateway.answer = drip
    start = time.monotonic()
    assert failure().unsure
    assert time.monotonic() - start < 5  # it would drip for ever


def test_a_gateway_that_took_the_message_and_then_drips_has_taken_it(gateway: Gateway):
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 201 X\r\n")
        while not gateway.closed.wait(0.2):
            connection.sendall(b"a: b\r\n")

    gateway.answer = drip
    start = time.monotonic()
    assert send(an_sms()) == ""
    assert time.monotonic() - start < 5  # it would drip for ever


def test_what_still_drips_when_the_time_is_over_takes_back_no_answer(gateway: Gateway, monkeypatch):
    monkeypatch.setattr(reaching, "SECONDS", 0.1)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 201 X\r\na: ")
        while not gateway.closed.wait(0.0005):
            connection.sendall(b"b")

    gateway.answer = drip
    assert [send(an_sms()) for _ in range(40)] == [""] * 40


def test_an_endless_answer_is_not_read_to_its_end(gateway: Gateway):
    sent = []

    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            sent.append(connection.send(b"x" * 65536))

    gateway.answer = pour
    assert str(failure()) == "500"
    assert sum(sent) < 20_000_000


def test_a_gateway_that_is_down_has_certainly_not_sent_it(settings):
    settings.SMS_PROVIDERS = {"main": "twilio+http://AC1:t@127.0.0.1:1/?from=+15005550006"}
    error = failure()
    assert (str(error), error.permanent, error.unsure) == ("ConnectionRefusedError", False, False)


def test_a_gateway_without_a_valid_certificate_is_sent_nothing(gateway: Gateway, settings):
    gateway.answer = b"no TLS here"
    settings.SMS_PROVIDERS["main"] = settings.SMS_PROVIDERS["main"].replace("+http", "", 1)
    with pytest.raises(DeliveryError) as caught:
        send(an_sms())
    assert not caught.value.unsure
    assert NUMBER.encode() not in b"".join(gateway.got)


def test_nothing_of_it_is_logged(gateway: Gateway, caplog):
    caplog.set_level(logging.DEBUG)
    gateway.says(400, {"code": 21211, "message": NUMBER})
    failure()
    assert NUMBER not in caplog.text
    assert CODE not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "https://AC1:secret@host/?from=+1",
        "twilio://host/?from=+1",
        "twilio://AC1@host/?from=+1",
        "twilio://AC1:secret@host/",
        "twilio://AC1:secret@/?from=+1",
        "twilio+http://AC1:secret@sms.example/?from=+1",
        "secret",
    ],
)
def test_a_malformed_address_stops_the_start_without_telling_its_token(url, settings):
    settings.SMS_PROVIDERS = {"main": url}
    with pytest.raises(ImproperlyConfigured) as caught:
        routes.check()
    assert "secret" not in str(caught.value)


def test_a_sender_may_be_a_messaging_service(gateway: Gateway, settings):
    settings.SMS_PROVIDERS["main"] = settings.SMS_PROVIDERS["main"].replace("+15005550006", "MG77")
    gateway.says(201, {"sid": "SM1"})
    send(an_sms())
    form = parse_qs(gateway.got[0].partition(b"\r\n\r\n")[2].decode())
    assert form["MessagingServiceSid"] == ["MG77"]
    assert "From" not in form


def test_the_token_stands_in_no_representation(settings):
    settings.SMS_PROVIDERS = {"main": "twilio://AC1:secret@sms.example/?from=%2B1"}
    provider = routes.provider("main")
    assert provider is not None
    assert "secret" not in repr(provider)
    assert provider.at("/x").username is None
