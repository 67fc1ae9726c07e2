"""
What a channel is: a module with `send(message)`, which raises DeliveryError when it could not, and returns
the gateway's own name for the message, or nothing, or a `Handed`.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Message:
    """
    A rendered message. `key` names it to gateways that know idempotency keys; `to` is an e-mail address, a
    number in E.164 form, or a push subscription as JSON. A channel hands nothing over after `expires_at`
    and tells it to gateways that queue. `id` names the row to those who send receipts.
    """

    key: str
    channel: str
    event: str
    to: str = field(repr=False)
    username: str
    language: str
    subject: str
    text: str = field(repr=False)
    expires_at: datetime
    id: str = ""


@dataclass(frozen=True)
class Handed:
    """
    Who has the message now, and how he calls it. `is_idempotent`: he takes one with a key that he knows
    already only once.
    """

    gateway_id: str
    provider: str = ""
    is_idempotent: bool = False


class DeliveryError(Exception):
    """
    Handing over failed. `answer` is kept in the row and in logs: it names no number, no address and no
    word of the text. `permanent`: another try cannot help. `unsure`: the gateway may have it all the same.
    `gone`: the recipient exists no more. `provider` is who failed, and `another`: somebody else may be asked
    at once.
    """

    def __init__(
        self, answer: str, *, permanent: bool = False, unsure: bool = False, gone: bool = False
    ) -> None:
        super().__init__(answer)
        self.permanent = permanent or gone
        self.unsure = unsure
        self.gone = gone
        self.provider = ""
        self.another = False
