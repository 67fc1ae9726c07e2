"""Who asks: everything an operation needs to know of a request, so that no operation needs the request."""

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest

if TYPE_CHECKING:
    from portal.models import User

BROWSER_LENGTH = 200


class SignedInRequest(HttpRequest):
    """The request of a view behind a login: `user` is never anonymous there."""

    user: "User"  # type: ignore[assignment]


@dataclass(frozen=True)
class Caller:
    """
    The person (None when nobody is logged in) and the browser behind a request.

    `session` is a digest of the session key: what is bound to a browser is bound to this, so that neither
    database nor log ever holds a usable session key. `proven_grant` is the id of the grant whose device
    this session has proven, None without one.
    """

    user: "User | None" = None
    address: str = ""
    browser: str = ""
    session: str = ""
    request_id: str = ""
    proven_grant: int | None = None

    @property
    def username(self) -> str:
        return self.user.username if self.user else ""


SYSTEM = Caller()


def peer_address(request: HttpRequest) -> str:
    """
    The true peer's address, or "" when it has none.

    Forwarding headers are read only when the peer itself is one of `TRUSTED_PROXIES`; then the rightmost
    address that no trusted proxy has is the client's.
    """
    peer = request.META.get("REMOTE_ADDR", "")
    if peer not in settings.TRUSTED_PROXIES:
        return _address(peer)
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        if hop.strip() not in settings.TRUSTED_PROXIES:
            return _address(hop.strip())
    return _address(peer)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def session_digest(request: HttpRequest) -> str:
    """A digest of the session's key, or "" while there is no session."""
    return digest_of_session(request.session.session_key or "")


def digest_of_session(key: str) -> str:
    return hashlib.sha256(f"session|{key}".encode()).hexdigest() if key else ""


def caller(request: HttpRequest) -> Caller:
    device = getattr(request.user, "otp_device", None)  # set by the middleware when it is proven
    return Caller(
        user=request.user if request.user.is_authenticated else None,
        proven_grant=device.pk if device else None,
        address=peer_address(request),
        browser=request.headers.get("User-Agent", "")[:BROWSER_LENGTH],
        session=session_digest(request),
        request_id=getattr(request, "id", ""),
    )
