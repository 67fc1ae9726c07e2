"""
Is this the right password of an active, unlocked username? One answer, one cost, for every kind of "no".
"""

from datetime import datetime
from functools import cache
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.db.models import CharField, DateTimeField, Exists, F, OuterRef, Q, QuerySet

from portal.compiled import Compiled, compiled
from portal.models import Allowance, User
from portal.models.account import normalise_username
from portal.throttle import PASSWORD_OF_NAME, SECOND_FACTOR_OF_USER, Limit

LOCKING: tuple[Limit, ...] = (PASSWORD_OF_NAME, SECOND_FACTOR_OF_USER)
LONGEST_PASSWORD = 256


def locked(*, now: datetime, limits: tuple[Limit, ...] = LOCKING) -> Q:
    """An annotation for users: has staff locked him, or has he used up one of the limits that lock?"""
    used_up = Exists(
        Allowance.objects.filter(
            key=OuterRef("username"),
            limit__in=[limit.name for limit in limits],
            spent__gte=F("size"),
            resets_at__gt=now,
        )
    )
    return Q(used_up) | Q(locked_at__isnull=False)


def named(name: str) -> User | None:
    """The user of this name, whatever his state: for the history of what strangers tried."""
    found: User | None = _named.first(name=name)
    return found


@compiled(name=CharField())
def _named(name: Any) -> QuerySet[User]:
    return User.objects.filter(username=name)


@cache
def _by_name(limits: tuple[Limit, ...]) -> Compiled:
    @compiled(name=CharField(), now=DateTimeField())
    def found(name: Any, now: Any) -> QuerySet[User]:
        users = User.objects.select_related("entity").filter(username=name)
        return users.annotate(is_locked=locked(now=now, limits=limits))

    return found


def check(
    username: str, password: str, *, now: datetime, limits: tuple[Limit, ...] = LOCKING
) -> User | None:
    """
    The user, or None for an unknown name, a wrong password, a locked or a deactivated user alike: one
    query and one hash in every case. Limits are the caller's business and spent before.
    """
    name = normalise_username(username)
    user: Any = _by_name(limits).first(name=name, now=now)
    typed = password[:LONGEST_PASSWORD]
    if user is None:
        make_password(typed)  # costs what comparing costs
        return None
    matches = check_password(typed, user.password)
    return user if matches and user.is_active and not user.is_locked else None
