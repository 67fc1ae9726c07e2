"""
What carriers tell of messages they have got: taken in once, whoever repeats it.

Only what the provider has signed counts. A message that went to a second provider may be reported by both:
"delivered" by either is true, "not delivered" counts only from the one who has it last. What is final stays.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime

from portal.models import MessageState, OutboxMessage, Receipt

from .channels import routes
from .channels.providers.base import Incoming, receipt_address

NEVER_HANDED_OVER = (MessageState.EXPIRED, MessageState.REFUSED)


def take(
    provider: str,
    message_id: uuid.UUID,
    *,
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
) -> bool:
    """
    False when there is no such provider or message. Raises BadSignature, and Unreadable for what is signed
    and makes no sense.
    """
    backend = routes.provider(provider)
    if backend is None:
        return False
    url = receipt_address(provider, str(message_id))
    told = backend.judge_receipt(Incoming(url, headers, body, now))
    if told.message_id not in ("", str(message_id)):
        return False
    rows = OutboxMessage.objects.filter(pk=message_id).exclude(state__in=NEVER_HANDED_OVER)
    if not rows.exists():
        return False
    columns = {"receipt": told.receipt, "receipt_at": now}
    first = rows.filter(receipt=Receipt.NONE)
    match told.receipt:
        case Receipt.DELIVERED:
            first.update(**columns)
        case Receipt.UNDELIVERED:
            last = first.filter(provider=provider, gateway_id=told.gateway_id)
            last.update(**columns, last_error=told.answer[:200])
    return True
