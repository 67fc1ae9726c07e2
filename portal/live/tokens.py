"""
The token of `/events/<token>`: which topic, until when, and for which browser.

It is signed under a salt of its own and opens nothing: who has it learns that there is something to look at.
Bound to a session it is worthless even for that in another browser.
"""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.core import signing

SALT = "portal.live"
LONGEST_LIFE = timedelta(hours=1)
LONGEST_TOKEN = 400
DIGEST_LENGTH = 16  # characters of the session's digest that the token repeats


class Unknown(Exception):
    """No token of ours, or one of another browser."""


class Expired(Exception):
    """It was ours."""


@dataclass(frozen=True)
class Ticket:
    topic: str
    ends_at: float  # seconds since 1970

    @property
    def kind(self) -> str:
        return self.topic.partition(":")[0]

    @property
    def key(self) -> str:
        return self.topic.partition(":")[2]


def token(topic: str, life: timedelta, *, session: str = "") -> str:
    """
    The right to be told about `topic` for this long. `session` is the digest in `Caller.session`; give
    it whenever there is one.
    """
    assert ":" in topic, topic
    ends_at = int(time.time() + min(life, LONGEST_LIFE).total_seconds())
    return signing.dumps([topic, ends_at, session[:DIGEST_LENGTH]], salt=SALT)


def read(text: str, *, session: str) -> Ticket:
    """The ticket in a token that this browser shows. Raises Unknown or Expired."""
    try:
        if len(text) > LONGEST_TOKEN:
            raise Unknown
        topic, ends_at, bound_to = signing.loads(text, salt=SALT, max_age=LONGEST_LIFE)
    except signing.SignatureExpired:
        raise Expired from None
    except (signing.BadSignature, ValueError, TypeError):
        raise Unknown from None
    if bound_to and bound_to != session[:DIGEST_LENGTH]:
        raise Unknown
    if ends_at <= time.time():
        raise Expired
    return Ticket(topic, ends_at)
