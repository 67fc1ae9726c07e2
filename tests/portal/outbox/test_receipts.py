"""Receipts over the webhook: signed, taken in once, never an error of ours."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import Channel, MessageState, OutboxMessage, Receipt
from portal.outbox import delivery, enqueue, ledger
from tests.conftest import NOW, person

pytestmark = pytest.mark.usefixtures("on_stage")


@pytest.fixture(autouse=True)
def _providers(settings, monkeypatch):
    monkeypatch.setattr(enqueue, "_announcer", SimpleNamespace(hint=lambda *told: None))
    settings.BASE_URL = "https://portal.example"
    settings.SMS_PROVIDERS = {
        "one": "twilio://AC1:12345@api.twilio.com/?from=+15005550006",
        "two": "vonage://key:secret@api.nexmo.com/?from=Portal&signing=sign-here",
    }
    settings.SMS_ROUTES = ""


def sent(provider: str = "one", gateway_id: str = "SM1", **changes: object) -> OutboxMessage:
    row = enqueue.message(
        user=person("owner"),
        event="sms_code",
        fact=str(uuid.uuid4()),
        now=NOW,
        channel=Channel.SMS,
        to="+447700900123",
        code="204816",
        minutes=10,
    )
    row.provider, row.gateway_id, row.state = provider, gateway_id, MessageState.SENT
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


def path_of(row: OutboxMessage, provider: str = "one") -> str:
    return f"/messages/receipts/{provider}/{row.pk}/"


def twilio(row: OutboxMessage, token: str = "12345", **fields: str) -> int:
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+447700900123"} | fields
    url = f"https://portal.example{path_of(row)}"
    text = url + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), text.encode(), "sha1").digest())
    return _post(
        path_of(row),
        urlencode(fields),
        "application/x-www-form-urlencoded",
        X_TWILIO_SIGNATURE=signature.decode(),
    )


def vonage(
    row: OutboxMessage,
    secret: str = "sign-here",
    to: OutboxMessage | None = None,
    claims: dict[str, object] | None = None,
    header: dict[str, object] | None = None,
    **told: object,
) -> int:
    body = {"message_uuid": "SM1", "status": "delivered", "client_ref": str(row.pk)} | told
    raw = json.dumps(body)
    hashed = hashlib.sha256(raw.encode()).hexdigest()
    claim = {"iat": time.time(), "iss": "Vonage", "payload_hash": hashed} | (claims or {})
    signed = ".".join(map(_packed, (header or {"alg": "HS256", "typ": "JWT"}, claim)))
    signature = hmac.new(secret.encode(), signed.encode(), "sha256").digest()
    token = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    where = path_of(to or row, "two")
    return _post(where, raw, "application/json", AUTHORIZATION=f"Bearer {token}")


def _packed(part: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _post(path: str, body: str | bytes, kind: str, **headers: str) -> int:
    client = Client(enforce_csrf_checks=True, raise_request_exception=True)
    named = {f"HTTP_{name}": value for name, value in headers.items()}
    answer = client.post(path, body, content_type=kind, **named)
    assert not answer.cookies
    return answer.status_code


def receipt_of(row: OutboxMessage) -> str:
    return OutboxMessage.objects.get(pk=row.pk).receipt


def test_twilios_own_example_of_a_signature_is_right():
    """From the provider's page about the security of its requests."""
    from portal.outbox.channels.providers.twilio import signature

    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, list(fields.items())) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        ("delivered", "delivered"),
        ("read", "delivered"),
        ("undelivered", "undelivered"),
        ("failed", "undelivered"),
        ("queued", ""),
        ("sent", ""),
        ("something new", ""),
    ],
)
def test_a_signed_receipt_is_taken_in(status, receipt):
    row = sent()
    assert twilio(row, MessageStatus=status) == 204
    assert receipt_of(row) == receipt


@pytest.mark.parametrize(
    ("status", "receipt"),
    [
        ("delivered", "delivered"),
        ("undeliverable", "undelivered"),
        ("rejected", "undelivered"),
        ("submitted", ""),
    ],
)
def test_the_other_providers_receipt_is_taken_in(status, receipt):
    row = sent("two")
    assert vonage(row, status=status) == 204
    assert receipt_of(row) == receipt


def test_why_it_was_not_delivered_is_kept_without_the_number():
    row = sent()
    assert twilio(row, MessageStatus="undelivered", ErrorCode="30003") == 204
    row.refresh_from_db()
    assert row.last_error == "undelivered 30003"
    assert row.receipt_at is not None


def test_a_repeated_receipt_changes_nothing():
    row = sent()
    twilio(row)
    first = OutboxMessage.objects.get().receipt_at
    assert twilio(row) == 204
    assert twilio(row, MessageStatus="undelivered") == 204
    row.refresh_from_db()
    assert (row.receipt, row.receipt_at) == (Receipt.DELIVERED, first)


def test_a_wrong_signature_is_refused():
    one, two = sent(), sent("two")
    assert twilio(one, token="wrong") == 403
    assert vonage(two, secret="wrong") == 403
    assert (receipt_of(one), receipt_of(two)) == ("", "")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Bearer a.b.c", "Basic a2V5OnNlY3JldA==", "Bearer ..", "é"]
)
def test_a_receipt_without_a_token_is_refused(header):
    row = sent("two")
    assert _post(path_of(row, "two"), "{}", "application/json", AUTHORIZATION=header) == 403
    assert _post(path_of(row), "a=b", "text/plain", X_TWILIO_SIGNATURE=header) == 403


def test_a_token_of_another_body_time_or_kind_is_refused():
    row = sent("two")
    assert vonage(row, claims={"payload_hash": "0" * 64}) == 403
    assert vonage(row, claims={"iat": time.time() - 3600}) == 403
    assert vonage(row, claims={"iat": time.time() + 3600}) == 403
    assert vonage(row, claims={"iat": None}) == 403
    assert vonage(row, claims={"iat": "nan"}) == 403
    assert vonage(row, header={"alg": "none"}) == 403
    assert receipt_of(row) == ""


def test_a_receipt_of_one_message_is_none_of_another():
    row, other = sent("two"), sent("two", "SM2")
    assert vonage(row, to=other) == 404
    assert receipt_of(other) == ""


def test_not_delivered_counts_only_from_who_has_it_last():
    row = sent("two", "uuid-2")
    assert twilio(row, MessageStatus="undelivered") == 204
    assert receipt_of(row) == ""
    assert twilio(row, MessageStatus="delivered") == 204
    assert receipt_of(row) == "delivered"


def test_what_is_unknown_is_not_found():
    row = sent()
    gone = OutboxMessage(pk=uuid.uuid4())
    assert twilio(gone) == 404
    assert _post(f"/messages/receipts/three/{row.pk}/", "", "text/plain") == 404
    assert Client().post("/messages/receipts/one/x/").status_code == 404
    assert twilio(sent(state=MessageState.REFUSED, sent_at=timezone.now())) == 404


def test_only_post_is_answered():
    row = sent()
    assert Client().get(path_of(row)).status_code == 405


@pytest.mark.parametrize("body", [b"", b"\xff\xfe=1", b"&" * 500, b"a=1&" * 500, b"x" * 300_000])
def test_garbage_is_no_error_of_ours(body):
    row = sent()
    answer = _post(path_of(row), body, "application/x-www-form-urlencoded")
    assert answer in (400, 403)
    assert _post(path_of(row, "two"), body, "application/json") in (400, 403)


def test_signed_garbage_is_no_error_of_ours():
    row = sent("two")
    for told in (
        {"status": None},
        {"status": ["delivered"]},
        {"status": "submitted", "error": 5},
        {"status": "submitted", "error": {"title": 7}},
    ):
        assert vonage(row, **told) == 204
    assert receipt_of(row) == ""


def test_a_message_that_has_arrived_after_all_is_not_sent_again(settings):
    settings.MESSAGE_CHANNELS = {"sms": "portal.outbox.channels.folder"}
    row = sent("", "", state=MessageState.QUEUED)
    ledger.claim(row.pk, now=NOW)  # by a worker that died after the provider had taken it
    assert twilio(row) == 204
    assert delivery.deliver(row.pk, now=NOW + ledger.LEASE)
    row.refresh_from_db()
    assert (row.state, row.receipt, row.context) == ("sent", "delivered", "")
    assert not settings.MESSAGE_FOLDER.exists()
