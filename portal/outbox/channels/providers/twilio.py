"""
Twilio's REST interface, and gateways that speak it: `twilio://sid:token@api.twilio.com/?from=+1…`.

Errors keep the gateway's status and code only: its words repeat the number. Receipts carry
`X-Twilio-Signature`: HMAC-SHA1, with the token, over the address and the sorted fields.
"""

import base64
import hashlib
import hmac
from typing import ClassVar
from urllib.parse import quote, urlencode

from django.utils import timezone

from portal.models import Receipt
from portal.outbox.channels.base import DeliveryError, Message
from portal.outbox.channels.posting import Answer, post

from .base import BadSignature, Incoming, Provider, Told, form_of, json_object, key_of

LONGEST_WAIT = 14_400  # seconds that the gateway may keep a message
FINAL = {
    "delivered": Receipt.DELIVERED,
    "read": Receipt.DELIVERED,
    "undelivered": Receipt.UNDELIVERED,
    "failed": Receipt.UNDELIVERED,
}


class Backend(Provider):
    scheme: ClassVar[str] = "twilio"
    form: ClassVar[str] = "twilio://sid:token@host/?from=+1…"

    @property
    def signing(self) -> str:
        """An API key's secret signs nothing: then the account's token is named by `signing`."""
        return self.options.get("signing") or self.password

    def send(self, message: Message) -> str:
        seconds_left = int((message.expires_at - timezone.now()).total_seconds())
        sender = "MessagingServiceSid" if self.sender.startswith("MG") else "From"
        form = {"To": message.to, sender: self.sender, "Body": message.text}
        form["ValidityPeriod"] = str(max(1, min(seconds_left, LONGEST_WAIT)))
        if address := self.receipts_at(message):
            form["StatusCallback"] = address
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {
            "Authorization": f"Basic {pair}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Idempotency-Key": key_of(message),
        }
        account = quote(self.options.get("account") or self.user)
        path = f"/2010-04-01/Accounts/{account}/Messages.json"
        return _judge(post(self.at(path), urlencode(form).encode(), headers))

    def judge_receipt(self, incoming: Incoming) -> Told:
        fields = form_of(incoming.body)
        right = signature(self.signing, incoming.url, fields)
        given = incoming.headers.get("X-Twilio-Signature", "")
        if not hmac.compare_digest(right.encode(), given.encode()):
            raise BadSignature
        told = dict(fields)
        status = told.get("MessageStatus") or told.get("SmsStatus", "")
        code = told.get("ErrorCode", "")
        return Told(
            gateway_id=(told.get("MessageSid") or told.get("SmsSid", ""))[:80],
            receipt=FINAL.get(status, Receipt.NONE),
            answer=f"{status[:20]} {code}".strip() if code.isdecimal() else status[:20],
        )


def signature(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """The address, then each field's name and value without anything between, sorted by name."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    raw = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(raw).decode()


def _judge(answer: Answer) -> str:
    """The gateway's id of a message it took, even when the rest of its answer makes no sense."""
    told = json_object(answer.body)
    if 200 <= answer.status < 300:
        return str(told.get("sid", ""))[:80]
    code = told.get("code")
    number = code if isinstance(code, int) else 0
    # Our own credentials are no fault of the number: 401 and 403 may be over after a restart.
    permanent = bool(number) and 400 <= answer.status < 500 and answer.status not in (401, 403)
    words = f"{answer.status} {number}" if number else str(answer.status)
    raise DeliveryError(words, permanent=permanent and not answer.is_busy)
