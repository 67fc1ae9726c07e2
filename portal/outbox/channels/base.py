"""What a channel is: a module with `send(message)`, which raises DeliveryError when it could not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """A rendered message. `key` names it to gateways that know idempotency keys."""

    key: str
    channel: str
    event: str
    to: str
    username: str
    language: str
    subject: str
    text: str


class DeliveryError(Exception):
    """Handing over failed: `permanent` when another try cannot help."""

    def __init__(self, answer: str, *, permanent: bool = False) -> None:
        super().__init__(answer)
        self.permanent = permanent
