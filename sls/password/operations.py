"""
Changing a password: whoever knows the old one ends with it. And setting a new one in place of a forgotten
one: a link by e-mail, then the user's device, then the new password. The link alone is enough only for a
user who has never had a device, and never for staff.
"""

import hashlib
import secrets
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import Exists, F, OuterRef

from portal import audit, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import BrowserSession, MessagePurpose, Urgency, User
from portal.models.account import normalise_username
from portal.outbox.enqueue import enqueue, message
from sls import events, links
from sls.access import was_protected
from sls.devices import challenges
from sls.models import (
    DeviceGrant,
    GrantState,
    PasswordReset,
    Purpose,
    ResetState,
)
from sls.models.device import ON_ACTIVE_DEVICE

from . import queries
from .rules import PasswordRefusal


def change(*, old: str, new: str, by: Caller, now: datetime) -> User:
    """
    Change the caller's password. Every other session ends with the next request, and a message tells him.
    Raises Refused for a wrong old password, which counts like a failed login.
    """
    user = by.user
    assert user is not None, "the page needs a login"
    limits = [(throttle.PASSWORD_CHANGES_OF_USER, user.username)]
    with audit.refusals(event=events.PASSWORD_CHANGED, by=by, subject=user, at=now):
        if throttle.spend(limits, now=now):
            raise Refused(PasswordRefusal.TOO_MANY_ATTEMPTS)
        if not check_password(old, user.password):
            raise Refused(PasswordRefusal.WRONG_PASSWORD)
        encoded = make_password(new)  # slow, so outside the transaction
        return _change(user, encoded, by=by, now=now)


@transaction.atomic(durable=True)
def _change(user: User, encoded: str, *, by: Caller, now: datetime) -> User:
    usable = User.objects.filter(is_active=True, locked_at__isnull=True)
    unchanged = usable.filter(pk=user.pk, password=user.password)
    if not unchanged.update(password=encoded):
        raise Refused(PasswordRefusal.WRONG_PASSWORD)
    user.password = encoded
    throttle.clear([(throttle.PASSWORD_CHANGES_OF_USER, user.username)])
    enqueue([message(user=user, event="password_changed", fact=now.isoformat(), now=now)])
    audit.record(event=events.PASSWORD_CHANGED, by=by, subject=user, at=now)
    return user


# --- A forgotten password ------------------------------------------------------------------------------


class Started(NamedTuple):
    """A reset, bound to the browser that holds `mark`."""

    reset: PasswordReset
    mark: str
    has_choice: bool


def digest(mark: str) -> str:
    """What the database keeps of a mark that only the browser's session holds."""
    return hashlib.sha256(f"reset|{mark}".encode()).hexdigest()


def ask(*, username: str, by: Caller, now: datetime) -> None:
    """
    Send a link to the username's address, if there is such an active user. Whoever asks learns nothing: a
    name that is nobody's costs the same statements but for the message itself.
    """
    name = normalise_username(username)
    limits = [
        (throttle.RESETS_OF_NAME, name),
        (throttle.RESETS_FROM_ADDRESS, throttle.network(by.address)),
    ]
    used_up = throttle.spend(limits, now=now)
    _send_link(queries.reachable_user(name), used_up=sorted(used_up), by=by, now=now)


@transaction.atomic(durable=True)
def _send_link(user: User | None, *, used_up: list[str], by: Caller, now: datetime) -> None:
    # Signed and sealed for nobody too, so that it takes as long.
    to = user or User(pk=0, username="", language=settings.LANGUAGE_CODE)
    link = links.token(to, links.Errand.RESET, life=settings.RESET_LIFE, now=now)
    letter = message(
        user=to,
        event="password_forgotten",
        fact=now.isoformat(),
        now=now,
        life=settings.RESET_LIFE,
        purpose=MessagePurpose.LINK,
        urgency=Urgency.URGENT,
        reset_token=link,
        minutes=int(settings.RESET_LIFE.total_seconds() // 60),
    )
    facts = {} if user and not used_up else {"refused": used_up[0] if used_up else "unknown"}
    if not facts:
        enqueue([letter])
    audit.record(event=events.RESET_ASKED, by=by, subject=user, at=now, **facts)


def linked_user(token: str, *, now: datetime) -> User:
    """For whom the link of a message is. Raises Refused for one that is forged, over or used."""
    user = links.user_of(token, links.Errand.RESET, now=now)
    if user is None:
        raise Refused(PasswordRefusal.LINK_OVER)
    return user


def start(token: str, *, by: Caller, now: datetime) -> Started:
    """Go on from the link: the user's device is asked, if he has ever had one. Raises Refused."""
    user = linked_user(token, now=now)
    with audit.refusals(event=events.RESET_STARTED, by=by, subject=user, at=now):
        return _start(user, by=by, now=now)


@transaction.atomic(durable=True)
def _start(user: User, *, by: Caller, now: datetime) -> Started:
    grants = queries.grants(user, now=now)
    if not grants and (user.is_staff or was_protected(user)):
        raise Refused(PasswordRefusal.DEVICE_REQUIRED)
    mark = secrets.token_urlsafe(32)
    reset = PasswordReset(
        user=user,
        session=digest(mark),
        password_mark=user.get_session_auth_hash(),
        started_at=now,
        expires_at=now + settings.LOGIN_LIFE,
    )
    if grants:
        _challenge(reset, grants[0], now=now)
    else:
        reset.state, reset.proven_at = ResetState.PROVEN, now
    reset.save(force_insert=True)
    audit.record(event=events.RESET_STARTED, by=by, subject=user, at=now, reset=str(reset.pk))
    return Started(reset, mark, has_choice=len(grants) > 1 and not grants[0].is_preferred)


def _challenge(reset: PasswordReset, grant: DeviceGrant, *, now: datetime) -> None:
    reset.grant = grant
    reset.challenge = challenges.issue(
        user=reset.user,
        device=grant.device,
        purpose=Purpose.RESET,
        session=reset.session,
        now=now,
    )


@transaction.atomic(durable=True)
def choose(reset: PasswordReset, *, grant_id: int, now: datetime) -> None:
    """Ask another of the user's devices, or the same one anew. Raises Refused."""
    offered = {grant.pk: grant for grant in queries.grants(reset.user, now=now)}
    if grant_id not in offered:
        raise Refused(PasswordRefusal.RESET_OVER)
    _challenge(reset, offered[grant_id], now=now)
    _claim(reset, ResetState.ASKED, now=now, grant=reset.grant, challenge=reset.challenge)


def prove(reset: PasswordReset, *, response: str, by: Caller, now: datetime) -> None:
    """Judge the device's response: it opens the page of the new password, and nothing else. Raises Refused."""
    with audit.refusals(event=events.RESET_PROVEN, by=by, subject=reset.user, at=now):
        if reset.challenge is None:
            raise Refused(PasswordRefusal.RESET_OVER)
        challenges.spend(reset.challenge, users=[reset.user], session=reset.session, now=now)
        _prove(reset, response, by=by, now=now)


@transaction.atomic(durable=True)
def _prove(reset: PasswordReset, response: str, *, by: Caller, now: datetime) -> None:
    assert reset.challenge is not None
    challenges.answer(
        reset.challenge,
        response,
        users=[reset.user],
        purpose=Purpose.RESET,
        session=reset.session,
        now=now,
    )
    _claim(reset, ResetState.ASKED, now=now, state=ResetState.PROVEN, proven_at=now)
    audit.record(event=events.RESET_PROVEN, by=by, subject=reset.user, at=now, reset=str(reset.pk))


def finish(reset: PasswordReset, *, new: str, by: Caller, now: datetime) -> None:
    """
    Set the new password; every session ends, and no browser is known any more. The device that was proven must
    still be good. Raises Refused.
    """
    encoded = make_password(new)  # slow, so outside the transaction
    with audit.refusals(event=events.PASSWORD_RESET, by=by, subject=reset.user, at=now):
        _finish(reset, encoded, by=by, now=now)


@transaction.atomic(durable=True)
def _finish(reset: PasswordReset, encoded: str, *, by: Caller, now: datetime) -> None:
    user = reset.user
    _claim(reset, ResetState.PROVEN, now=now, state=ResetState.DONE)
    if reset.grant_id is None:
        may_go_on = not (user.is_staff or was_protected(user))
    else:
        of_the_proof = DeviceGrant.objects.filter(pk=reset.grant_id, state=GrantState.ACTIVE)
        may_go_on = of_the_proof.filter(ON_ACTIVE_DEVICE).exists()
    as_read = User.objects.filter(pk=user.pk, password=user.password)
    new_password = {"password": encoded, "browser_epoch": F("browser_epoch") + 1}
    if not may_go_on or not as_read.update(**new_password):
        raise Refused(PasswordRefusal.RESET_OVER)
    BrowserSession.objects.filter(user=user).delete()
    throttle.clear([(throttle.PASSWORD_OF_NAME, user.username)])
    enqueue([message(user=user, event="password_reset", fact=str(reset.pk), now=now)])
    audit.record(event=events.PASSWORD_RESET, by=by, subject=user, at=now, reset=str(reset.pk))


def _claim(reset: PasswordReset, was: ResetState, *, now: datetime, **columns: object) -> None:
    """The step is taken once, by an active user whose password is still the forgotten one."""
    as_read = User.objects.filter(
        pk=OuterRef("user"),
        is_active=True,
        locked_at__isnull=True,
        password=reset.user.password,
    )
    if reset.user.get_session_auth_hash() != reset.password_mark:
        raise Refused(PasswordRefusal.RESET_OVER)
    ours = PasswordReset.objects.filter(Exists(as_read), pk=reset.pk, state=was, expires_at__gt=now)
    if not ours.update(**columns):
        raise Refused(PasswordRefusal.RESET_OVER)
