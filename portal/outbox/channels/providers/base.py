"""
What an SMS provider is: a class that is made of its name and its address (`SMS_PROVIDERS`), registered for
the scheme of the address in `SMS_BACKENDS`, in the manner of Django's `EMAIL_BACKEND`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import SplitResult, parse_qsl, unquote

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.models import Receipt
from portal.outbox.channels.base import Message

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class BadSignature(Exception):
    """The receipt does not come from the provider, or not now."""


class Unreadable(Exception):
    """Signed by the provider, and yet no receipt that we know."""


@dataclass(frozen=True)
class Incoming:
    """A receipt as it came in: `url` is the address that we have given to the provider."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True)
class Told:
    """What a receipt says. `message_id` is our own, where the receipt itself names it."""

    gateway_id: str
    receipt: Receipt  # NONE: nothing final yet
    answer: str = ""
    message_id: str = ""


@dataclass
class Provider:
    """
    `scheme://user:password@host/?from=…&signing=…&idempotent=1`: who we are, whom the message comes from, the
    secret that signs receipts, and whether the provider takes a key only once. `scheme+http` (for SMPP,
    `smpp+tcp`) is for one on this machine.
    """

    name: str
    url: SplitResult = field(repr=False)

    scheme: ClassVar[str] = ""
    plain: ClassVar[str] = "http"  # behind the scheme's plus: without TLS
    ports: ClassVar[tuple[int, int]] = (443, 80)  # with TLS, and without
    form: ClassVar[str] = "scheme://user:password@host/?from=…"

    def __post_init__(self) -> None:
        known = self.url.scheme in (self.scheme, f"{self.scheme}+{self.plain}")
        if not (known and self.url.hostname and self.user and self.password and self.sender):
            raise ImproperlyConfigured(f"SMS provider {self.name} must be {self.form}")
        if self.is_plain and self.url.hostname not in LOOPBACK:
            raise ImproperlyConfigured(
                f"SMS provider {self.name}: without TLS only one on this machine."
            )

    @property
    def is_plain(self) -> bool:
        return "+" in self.url.scheme

    @property
    def port(self) -> int:
        return self.url.port or self.ports[self.is_plain]

    @property
    def options(self) -> dict[str, str]:
        # Not parse_qs: a plus begins a number and is no blank.
        pairs = (part.partition("=")[::2] for part in self.url.query.split("&"))
        return {name: unquote(value) for name, value in pairs}

    @property
    def user(self) -> str:
        return unquote(self.url.username or "")

    @property
    def password(self) -> str:
        return unquote(self.url.password or "")

    @property
    def sender(self) -> str:
        return self.options.get("from", "")

    @property
    def signing(self) -> str:
        """The secret of receipts; "" when there are none."""
        return self.options.get("signing", "")

    @property
    def is_idempotent(self) -> bool:
        return self.options.get("idempotent") == "1"

    def at(self, path: str) -> SplitResult:
        """An address of the provider."""
        host = self.url.netloc.rpartition("@")[2]
        scheme = "http" if self.is_plain else "https"
        return SplitResult(scheme, host, self.url.path.rstrip("/") + path, "", "")

    def receipts_at(self, message: Message) -> str:
        """Where receipts of the message go; "" for a provider that signs none, or could not reach us."""
        reaches_us = settings.TLS or self.is_plain
        return receipt_address(self.name, message.id) if self.signing and reaches_us else ""

    def send(self, message: Message) -> str:
        """The provider's id of the message, perhaps "". Raises DeliveryError."""
        raise NotImplementedError

    def judge_receipt(self, incoming: Incoming) -> Told:
        """Raises BadSignature, or Unreadable."""
        raise BadSignature


def receipt_address(provider: str, message_id: str) -> str:
    return f"{settings.BASE_URL}/messages/receipts/{provider}/{message_id}/"


def key_of(message: Message) -> str:
    return hashlib.sha256(message.key.encode()).hexdigest()


def json_object(body: bytes) -> dict[str, Any]:
    """{} for what is none."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def form_of(body: bytes) -> list[tuple[str, str]]:
    """Raises Unreadable."""
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Unreadable from error
