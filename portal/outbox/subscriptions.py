"""
The subscription of a phone's browser: where its push service takes messages, and the keys to seal them.

The address is one that a client gave us, and a worker inside our network will connect to it. So it must
belong to a known push service (`PUSH_HOSTS`) and be plain https; its name is looked up when it is saved and
again before each message, every address found must be a public one, and the connection goes to exactly that
address, so that a name cannot turn inward in between.
"""

import base64
import ipaddress
import json
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

LONGEST_ENDPOINT = 1000
LONGEST_TEXT = 4000
PRINTABLE = re.compile(r"[!-\[\]-~]+")  # no blank, no control, no backslash, nothing beyond ASCII
LOOPBACK = ("127.0.0.1", "localhost")
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class SubscriptionRefused(ValueError):
    """Not a subscription that we would send to. The words name no part of it."""


@dataclass(frozen=True)
class Subscription:
    """`p256dh` is the browser's public key, `auth` the secret it shares with us (RFC 8291)."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.endpoint)

    @property
    def host(self) -> str:
        return self.url.hostname or ""

    def as_json(self) -> str:
        """The one spelling: what `message(channel=Channel.PUSH, to=…)` takes."""
        keys = {"p256dh": self.p256dh, "auth": self.auth}
        return json.dumps({"endpoint": self.endpoint, "keys": keys})


def accept(text: str) -> Subscription:
    """For saving: the subscription that a browser sent, its host looked up. Not inside a transaction."""
    subscription = parse(text)
    addresses_of(subscription)
    return subscription


def parse(text: str) -> Subscription:
    """The subscription in the JSON of a browser's `PushSubscription`. Raises SubscriptionRefused."""
    try:
        if len(text) > LONGEST_TEXT:
            raise ValueError
        told = json.loads(text)
        endpoint, keys = told["endpoint"], told["keys"]
        found = Subscription(endpoint, keys["p256dh"].rstrip("="), keys["auth"].rstrip("="))
        _check_keys(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SubscriptionRefused("no push subscription") from None
    _check_endpoint(found)
    return found


def from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _check_keys(found: Subscription) -> None:
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64(found.p256dh))
    if len(from_base64(found.auth)) != 16:
        raise ValueError


def _check_endpoint(found: Subscription) -> None:
    if not isinstance(found.endpoint, str) or len(found.endpoint) > LONGEST_ENDPOINT:
        raise SubscriptionRefused("endpoint of a wrong length")
    if PRINTABLE.fullmatch(found.endpoint) is None:
        raise SubscriptionRefused("endpoint with characters that no address has")
    try:
        url, port = found.url, found.url.port
    except ValueError:
        raise SubscriptionRefused("endpoint is no address") from None
    if settings.PUSH_TO_LOOPBACK and url.hostname in LOOPBACK:
        return
    if url.scheme != "https" or port not in (None, 443):
        raise SubscriptionRefused("endpoint is not https on its usual port")
    if "@" in url.netloc or url.fragment or not _is_known(url.hostname or ""):
        raise SubscriptionRefused("endpoint of no known push service")


def _is_known(host: str) -> bool:
    """`.push.example` in the setting means every name below it, as in ALLOWED_HOSTS."""
    return any(
        host == known or (known.startswith(".") and host.endswith(known))
        for known in settings.PUSH_HOSTS
    )


def addresses_of(subscription: Subscription) -> list[str]:
    """
    What the host's name means now. Raises SubscriptionRefused when any of it is not public, and OSError
    when the name is not found.
    """
    found = socket.getaddrinfo(
        subscription.host, subscription.url.port or 443, type=socket.SOCK_STREAM
    )
    addresses = list(dict.fromkeys(str(place[4][0]) for place in found))
    if not (settings.PUSH_TO_LOOPBACK and subscription.host in LOOPBACK):
        refuse_inward(addresses)
    return addresses


def refuse_inward(addresses: Iterable[str]) -> None:
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address):
            inner = address.ipv4_mapped or address.sixtofour
            if address in NAT64:
                inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
            if address.teredo or (inner is not None and not inner.is_global):
                raise SubscriptionRefused("endpoint leads inward")
            if inner is not None and address.ipv4_mapped:
                continue  # judged by the address inside
        if not address.is_global or address.is_multicast:
            raise SubscriptionRefused("endpoint leads inward")
