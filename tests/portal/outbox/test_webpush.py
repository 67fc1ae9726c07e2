"""
Web push by real HTTP to a push service on loopback, which checks who sends (RFC 8292), and a browser's keys,
which open what is sent (RFC 8291) with somebody else's code. Faults: abuse-cases.md C 62.
"""

import base64
import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import http_ece
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from portal.models import Channel, MessageState, OutboxMessage
from portal.outbox import delivery, enqueue
from portal.outbox.channels import push_crypto, reaching, webpush
from portal.outbox.channels.base import DeliveryError, Message
from portal.outbox.subscriptions import Subscription, from_base64
from tests.conftest import NOW, person
from tests.gateway import Gateway

AUTH = b"0123456789abcdef"
ID = "4b6ffb6e"


class PushService(Gateway):
    """Keeps requests; `browser` has the private key of the subscription."""

    def __init__(self) -> None:
        super().__init__()
        self.browser = ec.generate_private_key(ec.SECP256R1())
        self.says(201, b"")

    @property
    def subscription(self) -> str:
        point = push_crypto.to_base64(push_crypto.public_point(self.browser))
        endpoint = f"http://127.0.0.1:{self.port}/push/abc?token=1"
        return Subscription(endpoint, point, push_crypto.to_base64(AUTH)).as_json()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.got[-1].partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines)

    def claims(self, public: bytes) -> dict[str, object]:
        """What the sender says of itself, when its signature is good under this key."""
        scheme, token, key = self.headers["Authorization"].replace(",", "").split()
        assert scheme == "vapid"
        assert from_base64(key.removeprefix("k=")) == public
        signed, _, signature = token.removeprefix("t=").rpartition(".")
        raw = from_base64(signature)
        r, s = (int.from_bytes(raw[i : i + 32], "big") for i in (0, 32))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public).verify(
            encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256())
        )
        header, claims = (json.loads(from_base64(part)) for part in signed.split("."))
        assert header == {"typ": "JWT", "alg": "ES256"}
        return claims

    def opened(self) -> bytes:
        body = self.got[-1].partition(b"\r\n\r\n")[2]
        return http_ece.decrypt(body, private_key=self.browser, auth_secret=AUTH)


@pytest.fixture
def service(settings, monkeypatch) -> Iterator[PushService]:
    monkeypatch.setattr(reaching, "SECONDS", 1.0)
    settings.PUSH_TO_LOOPBACK = True
    settings.MESSAGE_CHANNELS = {"push": webpush.__name__}
    server = PushService()
    yield server
    server.stop()


def a_push(
    to: str, *, seconds: int = 180, event: str = "login", username: str = "robin"
) -> Message:
    return Message(
        key="login:1:7:push",
        channel="push",
        event=event,
        to=to,
        username=username,
        language="en",
        subject="",
        text=json.dumps({"event": "look", "id": ID}),
        expires_at=timezone.now() + timedelta(seconds=seconds),
    )


def failure(service: PushService) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        webpush.send(a_push(service.subscription))
    assert "push/abc" not in str(caught.value)
    return caught.value


# --- What is sent -----------------------------------------------------------------------------------


def test_the_browser_opens_what_was_sent_and_the_service_knows_who_sent_it(service, settings):
    assert webpush.send(a_push(service.subscription)) == ""
    assert service.got[0].startswith(b"POST /push/abc?token=1 HTTP/1.1\r\n")
    assert json.loads(service.opened()) == {"event": "look", "id": ID}
    claims = service.claims(from_base64(webpush.public_key()))
    assert claims["aud"] == f"http://127.0.0.1:{service.port}"
    assert str(claims["sub"]) == "mailto:client-services@portal.example"
    assert 0 < int(str(claims["exp"])) - time.time() < 24 * 3600
    assert service.headers["Content-Encoding"] == "aes128gcm"
    assert service.headers["Urgency"] == "high"
    assert 170 <= int(service.headers["TTL"]) <= 180
    assert ID.encode() not in service.got[0]


def test_a_service_with_another_key_does_not_believe_it(service):
    webpush.send(a_push(service.subscription))
    token = service.headers["Authorization"]
    forged = token.replace("t=ey", "t=eZ", 1)
    service.got[-1] = service.got[-1].replace(token.encode(), forged.encode())
    with pytest.raises((InvalidSignature, ValueError)):
        service.claims(from_base64(webpush.public_key()))


def test_every_message_has_a_key_of_its_own(service):
    for _ in range(2):
        webpush.send(a_push(service.subscription))
    first, second = (raw.partition(b"\r\n\r\n")[2] for raw in service.got)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


def test_a_newer_message_replaces_one_to_the_same_username_only(service):
    topics = []
    for event, username in (
        ("login", "robin"),
        ("login", "robin"),
        ("login", "ada"),
        ("x", "robin"),
    ):
        webpush.send(a_push(service.subscription, event=event, username=username))
        topics.append(service.headers["Topic"])
    assert topics[0] == topics[1]
    assert len(set(topics)) == 3
    assert all(len(topic) <= 32 for topic in topics)


def test_the_payload_is_that_of_the_standards_example():
    """RFC 8291, section 5 and appendix A."""
    key = push_crypto.private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    body = push_crypto.encrypt(
        b"When I grow up, I want to be a watermelon",
        to=from_base64(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=from_base64("BTBZMqHH6r4Tts7J_aSIgg"),
        key=key,
        salt=from_base64("DGv6ra1nlYgDCS1FRnbzlw"),
    )
    assert push_crypto.to_base64(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS"
        "6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qu"
        "lcy4a-fN"
    )


# --- How it fails -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [
        (404, True, True),
        (410, True, True),
        (400, True, False),
        (403, True, False),
        (413, True, False),
        (408, False, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
        (302, False, False),
    ],
)
def test_a_dead_subscription_is_told_apart_from_a_busy_service(service, status, permanent, gone):
    service.says(status, b"{}", "Location: http://127.0.0.1:1/")
    error = failure(service)
    assert (str(error), error.permanent, error.gone) == (str(status), permanent, gone)


def test_a_redirect_is_not_followed(service):
    other = Gateway()
    service.says(307, b"", f"Location: http://127.0.0.1:{other.port}/")
    failure(service)
    assert other.got == []
    other.stop()


def test_a_service_that_hangs_or_pours_is_left_in_time(service):
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 500 X\r\nContent-Length: 100000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    start = time.monotonic()
    service.answer = lambda connection: service.closed.wait(20)
    assert failure(service).unsure
    service.answer = pour
    assert str(failure(service)) == "500"
    assert time.monotonic() - start < 4


def test_a_service_that_is_down_is_tried_again(service):
    service.stop()
    error = failure(service)
    assert (str(error), error.permanent, error.unsure) == ("ConnectionRefusedError", False, False)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_a_name_that_has_turned_inward_since_it_was_saved_is_not_called(
    service, settings, monkeypatch, address
):
    settings.PUSH_TO_LOOPBACK = False
    to = json.loads(service.subscription) | {"endpoint": "https://fcm.googleapis.com/x"}
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    monkeypatch.setattr(socket, "create_connection", lambda *a: pytest.fail("it was called"))
    with pytest.raises(DeliveryError, match="inward") as caught:
        webpush.send(a_push(json.dumps(to)))
    assert not caught.value.gone


def test_the_connection_goes_to_the_addresses_that_were_judged(service, settings, monkeypatch):
    settings.PUSH_TO_LOOPBACK = False
    to = json.loads(service.subscription) | {"endpoint": "https://fcm.googleapis.com/x"}
    called = []

    def connect(place, timeout):
        called.append(place)
        raise ConnectionRefusedError

    both = ("2a00:1450:4001:82a::200a", "142.250.184.10")
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in both]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: found)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(DeliveryError):
        webpush.send(a_push(json.dumps(to)))
    assert called == [(address, 443) for address in both]


def test_a_host_that_is_no_longer_known_is_sent_nothing(service, settings):
    settings.PUSH_TO_LOOPBACK = False
    error = failure(service)
    assert (error.permanent, error.gone) == (True, False)
    assert service.got == []


# --- The key ----------------------------------------------------------------------------------------


def test_without_a_key_there_is_no_web_push(service, settings):
    settings.VAPID_PRIVATE_KEY = ""
    assert webpush.public_key() == ""
    assert str(failure(service)) == "VAPID_PRIVATE_KEY is not set"


def test_the_public_key_is_a_point_that_browsers_take(settings):
    raw = from_base64(webpush.public_key())
    assert (len(raw), raw[0]) == (65, 4)
    assert settings.VAPID_PRIVATE_KEY not in webpush.public_key()


@pytest.mark.parametrize(
    "text", ["secret", "A" * 43, base64.b64encode(b"s" * 31).decode(), "ü" * 43]
)
def test_a_malformed_key_stops_the_start_without_being_told(settings, text):
    settings.VAPID_PRIVATE_KEY = text
    with pytest.raises(ImproperlyConfigured) as caught:
        webpush.public_key()
    assert text not in str(caught.value)


# --- Through the outbox -----------------------------------------------------------------------------

gone: list[dict[str, object]] = []


def note(**told: object) -> None:
    gone.append(told)


def fail(**told: object) -> None:
    raise ValueError("the subscription's owner errs")


@pytest.fixture
def queued(service, on_stage, monkeypatch, settings) -> OutboxMessage:
    gone.clear()
    settings.PUSH_GONE = f"{__name__}.note"
    monkeypatch.setattr(enqueue, "_announcer", SimpleNamespace(hint=lambda *told: None))
    row = enqueue.message(
        user=person("owner"),
        event="login_push",
        fact="1",
        now=NOW,
        channel=Channel.PUSH,
        to=service.subscription,
        life=timedelta(minutes=3),
        id=ID,
    )
    with transaction.atomic():
        enqueue.enqueue([row])
    return row


def test_a_message_says_look_and_nothing_else(queued, service):
    assert (queued.target, "token" in queued.recipient) == ("127.0.0.1", False)
    assert delivery.deliver(queued.pk, now=NOW)
    assert json.loads(service.opened()) == {"event": "look", "id": ID}
    queued.refresh_from_db()
    assert (queued.state, queued.recipient) == (MessageState.SENT, "")


def test_the_owner_of_a_dead_subscription_is_told_once(queued, service):
    service.says(410, b"")
    assert not delivery.deliver(queued.pk, now=NOW)
    assert gone == [{"user": person("owner"), "subscription": service.subscription, "now": NOW}]
    queued.refresh_from_db()
    assert (queued.state, queued.last_error) == (MessageState.FAILED, "410")
    assert not delivery.deliver(queued.pk, now=NOW)
    assert len(gone) == 1


def test_a_busy_service_costs_nobody_his_subscription(queued, service):
    service.says(503, b"")
    delivery.deliver(queued.pk, now=NOW)
    assert gone == []


def test_an_owner_that_fails_to_take_note_changes_nothing(queued, service, settings, caplog):
    settings.PUSH_GONE = f"{__name__}.fail"
    service.says(410, b"")
    assert not delivery.deliver(queued.pk, now=NOW)
    queued.refresh_from_db()
    assert queued.state == MessageState.FAILED
    assert "nobody took note" in caplog.text


def test_nothing_of_a_subscription_is_logged(queued, service, caplog):
    caplog.set_level(logging.DEBUG)
    service.says(500, b"")
    delivery.deliver(queued.pk, now=NOW)
    assert "push/abc" not in caplog.text
