"""
Activating a phone for a username: password, code by SMS, and for a protected username one thing more.

The order of docs/phone-protocol.md section 5. The row says how far an activation has come; the app sends its
keys with the last call only, so one that waits holds nothing that could be stolen.
"""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import Exists, OuterRef

from portal import audit, credentials, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import Channel, User
from portal.models.account import normalise_username
from portal.outbox import budgets
from portal.outbox.enqueue import enqueue, message
from sls import events
from sls.devices import challenges
from sls.login.rules import LoginRefusal
from sls.models import Challenge, Phone, PhoneActivation, Purpose
from sls.models.phone import LIVE_ACTIVATIONS, ActivationState
from sls.numbers import NumberRefused, allowed_countries, masked, mobile_number

from . import queries
from .queries import Background
from .rules import CODE_DIGITS, NUMBER_REFUSALS, READY_LIFE, ActivationRefusal, refuses_number

CANCEL_SALT = "sls.activation.cancel"


@dataclass(frozen=True)
class Started:
    """`secret` names the activation from now on; the database keeps its digest only."""

    activation: PhoneActivation
    secret: str
    background: Background


def start(
    *,
    username: str,
    password: str,
    platform: str,
    by: Caller,
    now: datetime,
    phone: Phone | None = None,
) -> Started:
    """
    Judge the password, with limits of its own and the login's lock; `phone` is one that adds a username.
    An earlier activation of the user ends. Raises Refused, with one reason for every kind of wrong.
    """
    name = normalise_username(username)
    limits = [
        (throttle.ACTIVATION_PASSWORD_OF_NAME, name),
        (throttle.ACTIVATION_PASSWORD_FROM_ADDRESS, throttle.network(by.address)),
    ]
    try:
        if throttle.spend(limits, now=now):
            raise Refused(LoginRefusal.INVALID_CREDENTIALS)
        user = credentials.check(name, password, now=now)
        if user is None:
            raise Refused(LoginRefusal.INVALID_CREDENTIALS)
        throttle.give_back(limits)
        return _start(user, platform, phone, by=by, now=now)
    except Refused as refused:
        audit.record_refusal(
            event=events.PHONE_STARTED,
            by=by,
            subject=User.objects.filter(username=name).first(),
            at=now,
            refused=refused.code,
        )
        raise


@transaction.atomic(durable=True)
def _start(user: User, platform: str, phone: Phone | None, *, by: Caller, now: datetime) -> Started:
    if not User.objects.locked().filter(pk=user.pk, is_active=True).exists():
        raise Refused(LoginRefusal.INVALID_CREDENTIALS)
    background = queries.background(user)
    earlier = background.earlier
    if phone is not None and earlier and earlier.is_active and earlier.phone_id == phone.pk:
        raise Refused(ActivationRefusal.ALREADY_ON_PHONE)
    PhoneActivation.objects.filter(user=user, state__in=LIVE_ACTIVATIONS).update(
        state=ActivationState.ENDED
    )
    secret = secrets.token_urlsafe(32)
    activation = PhoneActivation.objects.create(
        user=user,
        phone=phone,
        secret=queries.digest(secret),
        platform=platform,
        password_mark=user.get_session_auth_hash(),
        address=by.address,
        created_at=now,
        expires_at=now + settings.ACTIVATION_LIFE,
    )
    audit.record(event=events.PHONE_STARTED, by=by, subject=user, at=now)
    return Started(activation, secret, background)


def registration_challenge(secret: str) -> bytes:
    """What a WebAuthn registration within this activation signs; nothing of it need be kept."""
    return hashlib.sha256(f"client-portal phone registration v1|{secret}".encode()).digest()


def find(secret: str, *, phone: Phone | None, now: datetime) -> PhoneActivation:
    """Raises Refused when there is no live activation with this secret, or another phone began it."""
    activation = queries.find(secret, phone=phone, now=now)
    if activation is None:
        raise Refused(ActivationRefusal.ACTIVATION_OVER)
    return activation


def send_code(
    activation: PhoneActivation,
    *,
    number_id: str = "",
    country: str = "",
    national: str = "",
    by: Caller,
    now: datetime,
) -> PhoneActivation:
    """
    Send a new Activation Token to a number on record, or to a new one; the one before ends. The same answer
    comes for a number that somebody else has. Raises Refused.
    """
    with audit.refusals(event=events.PHONE_CODE_SENT, by=by, subject=activation.user, at=now):
        if activation.state != ActivationState.OPEN:
            raise Refused(ActivationRefusal.ACTIVATION_OVER)
        background = queries.background(activation.user)
        number = _number(background, number_id, country, national)
        if refusal := refuses_number(background.standing(activation, number)):
            raise Refused(refusal)
        if activation.resend_at is not None and activation.resend_at > now:
            raise Refused(ActivationRefusal.TOO_SOON, retry_at=activation.resend_at.isoformat())
        _spend_sms(activation, number, is_new=not number_id, by=by, now=now)
        return _send_code(activation, number, by=by, now=now)


def _number(background: Background, number_id: str, country: str, national: str) -> str:
    if number_id:
        known = {choice.id: choice.e164 for choice in background.choices()}
        if number_id not in known:
            raise Refused(ActivationRefusal.NUMBER_INVALID)
        return known[number_id]
    try:
        return mobile_number(country, national, allowed=allowed_countries(settings.PHONE_COUNTRIES))
    except NumberRefused as refused:
        raise Refused(NUMBER_REFUSALS[refused.fault]) from refused


def _spend_sms(
    activation: PhoneActivation, number: str, *, is_new: bool, by: Caller, now: datetime
) -> None:
    limits = [
        (throttle.SMS_OF_USER, activation.user.username),
        (throttle.SMS_OF_NUMBER, budgets.number_key(number)),
        (throttle.SMS_FROM_ADDRESS, throttle.network(by.address)),
        (throttle.SMS_OF_SITE, "all"),
    ]
    if is_new and number != activation.number:
        limits.append((throttle.NEW_NUMBERS_OF_USER, activation.user.username))
    if throttle.spend(limits, now=now):
        raise Refused(ActivationRefusal.TOO_MANY_ATTEMPTS)


@transaction.atomic(durable=True)
def _send_code(
    activation: PhoneActivation, number: str, *, by: Caller, now: datetime
) -> PhoneActivation:
    as_read = PhoneActivation.objects.filter(
        pk=activation.pk, state=ActivationState.OPEN, sent=activation.sent, expires_at__gt=now
    )
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    activation.sent += 1
    activation.number = number
    activation.code = activation.fingerprint(code)
    activation.code_expires_at = now + settings.SMS_CODE_LIFE
    activation.resend_at = now + settings.SMS_RESEND
    columns = ("sent", "number", "code", "code_expires_at", "resend_at")
    if not as_read.update(**{name: getattr(activation, name) for name in columns}):
        raise Refused(ActivationRefusal.TOO_SOON, retry_at=activation.resend_at.isoformat())
    user, fact = activation.user, f"{activation.pk}:{activation.sent}"
    minutes = settings.SMS_CODE_LIFE.total_seconds() // 60
    enqueue(
        [
            message(
                user=user,
                event="activation_code",
                fact=fact,
                now=now,
                channel=Channel.SMS,
                to=number,
                life=settings.SMS_CODE_LIFE,
                code=code,
                minutes=int(minutes),
            ),
            message(
                user=user, event="activation_code_sent", fact=fact, now=now, number=masked(number)
            ),
        ]
    )
    audit.record(event=events.PHONE_CODE_SENT, by=by, subject=user, at=now, number=masked(number))
    return activation


def tries_left(activation: PhoneActivation, *, now: datetime) -> int:
    """How often the Activation Token may still be entered, whichever was sent last."""
    return throttle.left((throttle.ACTIVATION_CODE_OF_ROW, str(activation.pk)), now=now)


def ask(activation: PhoneActivation, *, grant_id: int, by: Caller, now: datetime) -> Challenge:
    """Put a question to a permanent device of the user: does it agree to the new phone? Raises Refused."""
    with audit.refusals(event=events.PHONE_ASKED, by=by, subject=activation.user, at=now):
        return _ask(activation, grant_id, by=by, now=now)


@transaction.atomic(durable=True)
def _ask(activation: PhoneActivation, grant_id: int, *, by: Caller, now: datetime) -> Challenge:
    grant = queries.agreeing_grant(activation.user, grant_id, now=now)
    if grant is None:
        raise Refused(ActivationRefusal.DEVICE_MUST_AGREE)
    challenge = challenges.issue(
        user=activation.user,
        device=grant.device,
        purpose=Purpose.PHONE,
        session=activation.secret,
        now=now,
    )
    _claim(activation, now=now, challenge=challenge)
    audit.record(event=events.PHONE_ASKED, by=by, subject=activation.user, at=now)
    return challenge


def agree(activation: PhoneActivation, *, response: str, by: Caller, now: datetime) -> None:
    """Judge what the device answered. Raises Refused."""
    user, challenge = activation.user, activation.challenge
    with audit.refusals(event=events.PHONE_AGREED, by=by, subject=user, at=now):
        if challenge is None:
            raise Refused(ActivationRefusal.DEVICE_MUST_AGREE)
        challenges.spend(challenge, users=[user], session=activation.secret, now=now)
        _agree(activation, challenge, response, by=by, now=now)


@transaction.atomic(durable=True)
def _agree(
    activation: PhoneActivation,
    challenge: Challenge,
    response: str,
    *,
    by: Caller,
    now: datetime,
) -> None:
    challenges.answer(
        challenge,
        response,
        users=[activation.user],
        purpose=Purpose.PHONE,
        session=activation.secret,
        now=now,
    )
    if queries.agreeing_grant_of(activation.user, challenge.device, now=now) is None:
        raise Refused(ActivationRefusal.DEVICE_MUST_AGREE)
    _claim(activation, now=now, agreed_at=now)
    audit.record(
        event=events.PHONE_AGREED,
        by=by,
        subject=activation.user,
        at=now,
        device=challenge.device.serial_masked,
    )


def _claim(activation: PhoneActivation, *, now: datetime, **columns: object) -> None:
    ours = PhoneActivation.objects.filter(
        user_as_read(activation), pk=activation.pk, state__in=LIVE_ACTIVATIONS, expires_at__gt=now
    )
    if not ours.update(**columns):
        raise Refused(ActivationRefusal.ACTIVATION_OVER)


def user_as_read(activation: PhoneActivation) -> Exists:
    """Active, and with the password that was typed when the activation began."""
    users = User.objects.filter(
        pk=OuterRef("user"), is_active=True, password=activation.user.password
    )
    return Exists(users)


def cancel_token(activation: PhoneActivation) -> str:
    return signing.dumps(str(activation.pk), salt=CANCEL_SALT)


def by_link(token: str) -> PhoneActivation:
    """The activation that the link in the client's message names. Raises Refused."""
    life = settings.ACTIVATION_WAIT + READY_LIFE
    try:
        key = uuid.UUID(signing.loads(token, salt=CANCEL_SALT, max_age=life))
    except (signing.BadSignature, ValueError) as error:
        raise Refused(ActivationRefusal.ACTIVATION_OVER) from error
    activation = PhoneActivation.objects.select_related("user").filter(pk=key).first()
    if activation is None:
        raise Refused(ActivationRefusal.ACTIVATION_OVER)
    return activation


def cancel_by_link(token: str, *, by: Caller, now: datetime) -> PhoneActivation:
    """ "This was not me": a waiting activation ends. Raises Refused when none waits any more."""
    activation = by_link(token)
    with audit.refusals(event=events.PHONE_WAIT_ENDED, by=by, subject=activation.user, at=now):
        _cancel(activation, by=by, now=now)
    return activation


@transaction.atomic(durable=True)
def _cancel(activation: PhoneActivation, *, by: Caller, now: datetime) -> None:
    waiting = PhoneActivation.objects.filter(pk=activation.pk, state=ActivationState.WAITING)
    if not waiting.update(state=ActivationState.ENDED):
        raise Refused(ActivationRefusal.ACTIVATION_OVER)
    audit.record(
        event=events.PHONE_WAIT_ENDED, by=by, subject=activation.user, at=now, by_link=True
    )


@transaction.atomic(durable=True)
def close_expired(*, now: datetime) -> None:
    """Every reader compares times itself; this only tidies up."""
    PhoneActivation.objects.filter(state__in=LIVE_ACTIVATIONS, expires_at__lte=now).update(
        state=ActivationState.ENDED, code=""
    )
