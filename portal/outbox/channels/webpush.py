"""
Web push: wakes the phone's app through the push service of its browser.

What is sent says only "look", with an id that means nothing elsewhere. The push service cannot read it, and
the phone asks us for everything else.
"""

import hashlib
from email.utils import parseaddr

from django.conf import settings
from django.utils import timezone

from portal.outbox import subscriptions
from portal.outbox.subscriptions import Subscription, SubscriptionRefused, from_base64

from . import push_crypto
from .base import DeliveryError, Message
from .posting import Answer, post

TOKEN_SECONDS = 12 * 3600  # RFC 8292 allows 24 hours
LONGEST_WAIT = 28 * 86_400  # seconds; what push services keep at most


def public_key() -> str:
    """The `applicationServerKey` with which a browser subscribes; "" when there is no web push here."""
    if not settings.VAPID_PRIVATE_KEY:
        return ""
    key = push_crypto.private_key(settings.VAPID_PRIVATE_KEY)
    return push_crypto.to_base64(push_crypto.public_point(key))


def send(message: Message) -> str:
    if not settings.VAPID_PRIVATE_KEY:
        raise DeliveryError("VAPID_PRIVATE_KEY is not set", permanent=True)
    try:
        to = subscriptions.parse(message.to)
    except SubscriptionRefused as error:  # PUSH_HOSTS has become shorter
        raise DeliveryError(str(error), permanent=True) from None
    try:
        addresses = subscriptions.addresses_of(to)[:2]
    except SubscriptionRefused as error:  # a resolver that errs must not cost anybody his phone
        raise DeliveryError(str(error)) from None
    except OSError as error:
        raise DeliveryError(type(error).__name__) from None
    body = push_crypto.encrypt(
        message.text.encode(), to=from_base64(to.p256dh), auth=from_base64(to.auth)
    )
    _judge(post(to.url, body, _headers(message, to), addresses=addresses))
    return ""


def _headers(message: Message, to: Subscription) -> dict[str, str]:
    now = timezone.now()
    seconds_left = int((message.expires_at - now).total_seconds())
    # A newer message of one kind to one username replaces what still waits for the phone.
    topic = hashlib.sha256(f"{message.event}:{message.username}".encode()).hexdigest()[:32]
    return {
        "Authorization": push_crypto.authorization(
            push_crypto.private_key(settings.VAPID_PRIVATE_KEY),
            audience=f"{to.url.scheme}://{to.url.netloc}",
            subject=f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}",
            expires=int(now.timestamp()) + TOKEN_SECONDS,
        ),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(max(0, min(seconds_left, LONGEST_WAIT))),
        "Urgency": "high",
        "Topic": topic,
    }


def _judge(answer: Answer) -> None:
    """RFC 8030: 201 took it, 404 and 410 say that the subscription exists no more."""
    if 200 <= answer.status < 300:
        return
    refused = 400 <= answer.status < 500 and not answer.is_busy
    raise DeliveryError(str(answer.status), permanent=refused, gone=answer.status in (404, 410))
