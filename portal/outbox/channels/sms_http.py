"""
SMS by a gateway that speaks Twilio's REST interface: `SMS_URL=twilio://sid:token@host/?from=+1…`.

Errors keep the gateway's status and code only: its words repeat the number. `twilio+http` is for gateways
on this machine.
"""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from .base import DeliveryError, Message
from .posting import Answer, post

SCHEMES = {"twilio": "https", "twilio+http": "http"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
LONGEST_WAIT = 14_400  # seconds that the gateway may keep a message


@dataclass(frozen=True)
class Gateway:
    url: SplitResult
    sender: str
    authorization: str = field(repr=False)


@lru_cache(maxsize=2)
def gateway(text: str) -> Gateway:
    """The gateway of an `SMS_URL`. Raises ImproperlyConfigured, without the token in its words."""
    url = urlsplit(text)
    query = dict(part.partition("=")[::2] for part in url.query.split("&"))
    sender, sid = unquote(query.get("from", "")), unquote(url.username or "")
    if not (url.scheme in SCHEMES and url.hostname and sid and url.password and sender):
        raise ImproperlyConfigured("SMS_URL must be twilio://sid:token@host/?from=+1…")
    if SCHEMES[url.scheme] == "http" and url.hostname not in LOOPBACK:
        raise ImproperlyConfigured("SMS_URL: without TLS only a gateway on this machine.")
    host = url.netloc.rpartition("@")[2]
    path = f"{url.path.rstrip('/')}/2010-04-01/Accounts/{quote(sid)}/Messages.json"
    pair = base64.b64encode(f"{sid}:{unquote(url.password)}".encode()).decode()
    return Gateway(SplitResult(SCHEMES[url.scheme], host, path, "", ""), sender, f"Basic {pair}")


def send(message: Message) -> str:
    if not settings.SMS_URL:
        raise DeliveryError("SMS_URL is not set", permanent=True)
    to = gateway(settings.SMS_URL)
    seconds_left = int((message.expires_at - timezone.now()).total_seconds())
    sender = "MessagingServiceSid" if to.sender.startswith("MG") else "From"
    form = {"To": message.to, sender: to.sender, "Body": message.text}
    form["ValidityPeriod"] = str(max(1, min(seconds_left, LONGEST_WAIT)))
    headers = {
        "Authorization": to.authorization,
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        "Idempotency-Key": hashlib.sha256(message.key.encode()).hexdigest(),
    }
    return _judge(post(to.url, urlencode(form).encode(), headers))


def _judge(answer: Answer) -> str:
    """The gateway's id of a message it took, even when the rest of its answer makes no sense."""
    told = _object(answer.body)
    if 200 <= answer.status < 300:
        return str(told.get("sid", ""))[:80]
    code = told.get("code")
    number = code if isinstance(code, int) else 0
    # Our own credentials are no fault of the number: 401 and 403 may be over after a restart.
    permanent = bool(number) and 400 <= answer.status < 500 and answer.status not in (401, 403)
    words = f"{answer.status} {number}" if number else str(answer.status)
    raise DeliveryError(words, permanent=permanent and not answer.is_busy)


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
