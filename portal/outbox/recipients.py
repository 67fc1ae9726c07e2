"""Is this a recipient of the channel, and how much of it may staff see?"""

import re

from portal.models import Channel

from . import subscriptions

E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def mask(channel: Channel, to: str, *, email: str) -> str:
    """
    What the row shows of the recipient; an e-mail's is `email`, the user's address. Raises ValueError when
    the channel cannot reach it.
    """
    match channel:
        case Channel.EMAIL if not to:
            name, at, domain = email.rpartition("@")
            return f"{name[:1]}•••{at}{domain}"[:80] if at else ""
        case Channel.SMS if E164.fullmatch(to):
            return f"•••{to[-3:]}"
        case Channel.PUSH:
            return subscriptions.parse(to).host[:80]
    raise ValueError(f"no recipient for {channel}")
