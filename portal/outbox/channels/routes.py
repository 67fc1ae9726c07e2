"""
Which providers carry an SMS to a country, in which order, and who rests because he has failed lately.

`SMS_PROVIDERS` names them ({"a": "twilio://…"}), `SMS_ROUTES` orders them ("CN=b,a;*=a,b"; without it: all,
in their order). Who fails rests, twice as long after each further failure; others go first meanwhile, and
when all rest, the order counts again. The rest is a row, so every worker knows of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.utils.module_loading import import_string

from portal.models import SmsProvider
from portal.outbox import countries

from .base import DeliveryError, Message
from .providers.base import Provider

NAME = re.compile(r"[a-z0-9_-]{1,40}")
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=10)


@lru_cache(maxsize=32)
def _made(name: str, url: str, backend: str) -> Provider:
    made: Provider = import_string(backend)(name, urlsplit(url))
    return made


def provider(name: str) -> Provider | None:
    """None when there is none of this name. Raises ImproperlyConfigured, without the secret in its words."""
    url = settings.SMS_PROVIDERS.get(name)
    if url is None:
        return None
    backend = settings.SMS_BACKENDS.get(url.partition(":")[0].partition("+")[0])
    if backend is None or not NAME.fullmatch(name):
        known = ", ".join(settings.SMS_BACKENDS)
        raise ImproperlyConfigured(
            f"SMS provider {name}: a name in a-z and 0-9, and one of {known}."
        )
    return _made(name, url, backend)


@lru_cache(maxsize=4)
def _routes(text: str, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found = {countries.ANYWHERE: names}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        country, _, order = part.partition("=")
        wanted = tuple(name.strip() for name in order.split(","))
        if not re.fullmatch(r"[A-Z]{2}|\*", country) or not set(wanted) <= set(names):
            raise ImproperlyConfigured(f"SMS_ROUTES: {part}; the providers are {', '.join(names)}.")
        found[country] = wanted
    return found


def check() -> None:
    """Raises ImproperlyConfigured for malformed providers and routes."""
    for name in settings.SMS_PROVIDERS:
        provider(name)
    _routes(settings.SMS_ROUTES, tuple(settings.SMS_PROVIDERS))


def order(country: str) -> Sequence[str]:
    """The names of the providers for a country, whoever rests."""
    routes = _routes(settings.SMS_ROUTES, tuple(settings.SMS_PROVIDERS))
    return routes.get(country, routes[countries.ANYWHERE])


@dataclass(frozen=True)
class Turn:
    """
    Who is to carry a message. `is_alone`: nobody else ever would; `another`: somebody else could at once.
    """

    provider: Provider
    is_alone: bool
    another: bool
    has_failed: bool


def choose(message: Message, *, now: datetime) -> Turn:
    """Whose turn it is. Raises DeliveryError when there is nobody."""
    names = order(countries.of(message.to))
    failed = SmsProvider.objects.filter(name__in=names, failures__gt=0)
    rests = {name: until or now for name, until in failed.values_list("name", "rests_until")}
    awake = [name for name in names if name not in rests or rests[name] <= now]
    chosen = next(iter([*awake, *names]), None)
    made = provider(chosen) if chosen else None
    if made is None:
        raise DeliveryError("no SMS provider for this country", permanent=True)
    another = any(name != chosen for name in awake)
    return Turn(made, len(names) == 1, another, chosen in rests)


def rest(name: str, answer: str, *, now: datetime) -> None:
    """The provider has failed: others first, for a while."""
    row, _made_now = SmsProvider.objects.get_or_create(name=name)
    until = now + min(FIRST_REST * 2 ** min(row.failures, 10), LONGEST_REST)
    SmsProvider.objects.filter(name=name).update(
        failures=F("failures") + 1, failed_at=now, rests_until=until, answer=answer[:200]
    )


def wake(name: str) -> None:
    SmsProvider.objects.filter(name=name).update(failures=0, rests_until=None)
