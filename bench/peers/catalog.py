"""Who the peers are."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.browser import Browser

from .allauth import login as allauth
from .two_factor import login as two_factor


@dataclass(frozen=True)
class Peer:
    name: str  # of its package below this one
    distribution: str  # as pip knows it
    extras: str
    log_in: Callable[[Browser, str], None]


PEERS = (
    Peer("allauth", "django-allauth", "[mfa]", allauth.log_in),
    Peer("two_factor", "django-two-factor-auth", "", two_factor.log_in),
)
