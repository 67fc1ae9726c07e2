"""Where push messages to a phone go, and what they say."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from portal import vault
from portal.models import OutboxMessage
from sls.demo.handset import b64
from sls.models import LoginPrompt, Phone
from sls.phone.operations import forget_subscription
from tests.conftest import person
from tests.handset import demo_phone

from .test_api import log_in, refused

pytestmark = pytest.mark.usefixtures("on_stage")


def subscription(endpoint: str) -> dict[str, object]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = {"p256dh": b64(point), "auth": b64(bytes(range(16)))}
    return {"endpoint": endpoint, "expirationTime": None, "keys": keys}


def put(phone, endpoint: str):
    return phone.call("PUT", "push", subscription(endpoint), signed_as=phone.phone)


@pytest.fixture
def subscribed(settings):
    settings.PUSH_TO_LOOPBACK = True
    phone = demo_phone()
    assert put(phone, "http://127.0.0.1:9/push/secret-path")["has_push"]
    return phone


def test_a_login_sends_one_message_that_says_only_look(subscribed):
    log_in()
    row = OutboxMessage.objects.get(channel="push")
    prompt = LoginPrompt.objects.get()
    context = json.loads(vault.sealed_field(row, "context").open_from(row))
    assert context == {"id": str(prompt.pk)}
    assert row.expires_at == prompt.expires_at
    assert "secret-path" not in str(vars(row))


def test_a_subscription_is_sealed_and_can_be_ended(subscribed):
    assert "secret-path" not in str(vars(Phone.objects.get()))
    assert not subscribed.call("DELETE", "push", signed_as=subscribed.phone)["has_push"]
    log_in()
    assert not OutboxMessage.objects.filter(channel="push").exists()


def test_a_dead_subscription_is_forgotten_and_only_that(subscribed):
    user, kept = person("phone_user"), Phone.objects.get().open_subscription()
    forget_subscription(user=user, subscription="another", now=timezone.now())
    assert Phone.objects.get().has_push
    forget_subscription(user=user, subscription=kept, now=timezone.now())
    assert not Phone.objects.get().has_push


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://evil.example/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://fcm.googleapis.com:8443/x",
        "file:///etc/passwd",
    ],
)
def test_endpoints_that_are_no_push_service_are_refused(endpoint):
    assert refused(put, demo_phone(), endpoint).code == "endpoint_not_allowed"
    assert not Phone.objects.get().has_push
