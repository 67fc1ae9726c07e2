"""One POST to a gateway: bounded in time and size, and no redirect is followed."""

import http.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult

from .base import DeliveryError
from .reaching import reach

LONGEST_ANSWER = 64 * 1024  # bytes; more is not read


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def is_busy(self) -> bool:
        """Says that another try may succeed."""
        return self.status in (408, 429) or self.status >= 500


def post(
    url: SplitResult, body: bytes, headers: Mapping[str, str], *, addresses: Sequence[str] = ()
) -> Answer:
    """
    The answer of the gateway; `addresses` as `reach` takes them. Raises DeliveryError when there is none:
    unsure, once the request may have arrived.
    """
    assert url.hostname
    tls = url.scheme == "https"
    kind = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(url.hostname, url.port)
    sent = False
    try:
        with reach(url.hostname, connection.port, tls=tls, addresses=addresses) as reached:
            connection.sock = reached
            sent = True
            connection.request("POST", _target(url), body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(LONGEST_ANSWER))
    except (OSError, http.client.HTTPException) as error:
        # Its words may hold the address; its name does not.
        raise DeliveryError(type(error).__name__, unsure=sent) from None


def _target(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")
