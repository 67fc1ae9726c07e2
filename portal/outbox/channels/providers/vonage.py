"""
Vonage's Messages API, version 1: `vonage://key:secret@api.nexmo.com/?from=Portal&signing=…`.

Receipts carry a token of our account (`Authorization: Bearer`, HS256 with the signature secret) whose claim
`payload_hash` is the SHA-256 of the body. `client_ref` names our row, so that a signed body cannot be sent to
the address of another message.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, ClassVar

from django.utils import timezone

from portal.models import Receipt
from portal.outbox.channels.base import DeliveryError, Message
from portal.outbox.channels.posting import Answer, post

from .base import BadSignature, Incoming, Provider, Told, json_object, key_of

LONGEST_WAIT = 259_200  # seconds that the provider may keep a message
FRESH_SECONDS = 300  # how old a token may be, or how far ahead a clock
FINAL = {
    "delivered": Receipt.DELIVERED,
    "read": Receipt.DELIVERED,
    "rejected": Receipt.UNDELIVERED,
    "undeliverable": Receipt.UNDELIVERED,
}
NUMBER_REFUSED = (1120, 1240, 1210, 1280)  # what no second try changes


class Backend(Provider):
    scheme: ClassVar[str] = "vonage"
    form: ClassVar[str] = "vonage://key:secret@host/?from=…"

    def send(self, message: Message) -> str:
        seconds_left = int((message.expires_at - timezone.now()).total_seconds())
        body: dict[str, Any] = {
            "channel": "sms",
            "message_type": "text",
            "to": message.to.lstrip("+"),
            "from": self.sender.lstrip("+"),
            "text": message.text,
            "client_ref": message.id,
            "ttl": max(20, min(seconds_left, LONGEST_WAIT)),
            "sms": {"encoding_type": "auto"},
        }
        if address := self.receipts_at(message):
            body |= {"webhook_url": address, "webhook_version": "v1"}
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {
            "Authorization": f"Basic {pair}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Idempotency-Key": key_of(message),
        }
        return _judge(post(self.at("/v1/messages"), json.dumps(body).encode(), headers))

    def judge_receipt(self, incoming: Incoming) -> Told:
        scheme, _, token = incoming.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self.signing:
            raise BadSignature
        claims = _claims(token.strip(), self.signing)
        age = incoming.now.timestamp() - claims["iat"]
        hashed = hashlib.sha256(incoming.body).hexdigest()
        is_fresh = abs(age) <= FRESH_SECONDS  # false for "nan" too
        if not is_fresh or not hmac.compare_digest(hashed, claims["payload_hash"]):
            raise BadSignature
        told = json_object(incoming.body)
        status, error = str(told.get("status", ""))[:20], told.get("error")
        title = error.get("title") if isinstance(error, dict) else None
        code = str(title) if str(title).isdecimal() else ""
        return Told(
            gateway_id=str(told.get("message_uuid", ""))[:80],
            receipt=FINAL.get(status, Receipt.NONE),
            answer=f"{status} {code[:10]}".strip(),
            message_id=str(told.get("client_ref", "")),
        )


def _claims(token: str, secret: str) -> dict[str, Any]:
    """`iat` and `payload_hash` of a right token. Raises BadSignature."""
    try:
        head, body, given = token.split(".")
        right = hmac.new(secret.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(right, _from_base64(given)):
            raise BadSignature
        header, claims = json.loads(_from_base64(head)), json.loads(_from_base64(body))
        if header["alg"] != "HS256":
            raise BadSignature
        return {"iat": float(claims["iat"]), "payload_hash": str(claims["payload_hash"]).lower()}
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise BadSignature from error


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _judge(answer: Answer) -> str:
    """The last part of the error's `type` is its number."""
    told = json_object(answer.body)
    if 200 <= answer.status < 300:
        return str(told.get("message_uuid", ""))[:80]
    number = str(told.get("type", "")).rpartition("#")[2]
    code = int(number) if number.isascii() and number.isdecimal() and len(number) < 7 else 0
    refused = answer.status == 422 or code in NUMBER_REFUSED
    words = f"{answer.status} {code}" if code else str(answer.status)
    raise DeliveryError(words, permanent=refused and not answer.is_busy)
