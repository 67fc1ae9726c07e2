"""
Asking a device and judging what it answers: the only proof of possession there is.

A proof takes two calls. `spend` commits the try before anything is judged. `answer`, inside the
transaction of what the proof is for, judges the response and claims the challenge, so that a response has
exactly one effect or none.
"""

import hmac
import json
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    UUIDField,
)

from portal import throttle, vault
from portal.compiled import compiled, compiled_update, insert
from portal.errors import Refused
from portal.models import Channel, User
from portal.outbox.budgets import number_key
from portal.outbox.enqueue import enqueue, message
from portal.throttle import Limit
from sls import codecard, codes, oath
from sls.catalog import CHALLENGE_DIGITS, DeviceKind, Element
from sls.models import Challenge, ChallengeState, DeviceState, Purpose, SecurityDevice
from sls.models.device import unexpired

from .rules import TRIES_PER_CHALLENGE, TRIES_PER_SMS_CODE, ProofRefusal, plain_response

TRIES_OF_CHALLENGE = Limit("tries_of_challenge", TRIES_PER_CHALLENGE, throttle.DAY)
TRIES_OF_SMS_CODE = Limit("tries_of_sms_code", TRIES_PER_SMS_CODE, throttle.DAY)


def issue(
    *, user: User, device: SecurityDevice, purpose: Purpose, session: str, now: datetime
) -> Challenge:
    """
    Put a question to `device`, for `user`'s browser session and one purpose. The caller's row points to
    the newest challenge; an older one that nothing points to is dead. An SMS code is sent with the
    transaction. Raises Refused.
    """
    if device.kind == DeviceKind.SMS:
        return _send_code(user, device, purpose, session, now=now)
    element = device.traits.element
    reusable = element is Element.CODE or (
        element is Element.INDEX_NUMBERS and settings.CODE_CARD_MODE == codecard.CardMode.REPEAT
    )
    # Nothing is shown for a Temporary Code, so nothing of it grows stale before the login does.
    life = settings.LOGIN_LIFE if element is Element.CODE else settings.CHALLENGE_LIFE
    challenge = Challenge(
        user=user,
        device=device,
        purpose=purpose,
        session=session,
        question=_draw_question(user, device, purpose, now=now),
        reusable=reusable,
        issued_at=now,
        expires_at=now + life,
    )
    insert(challenge)
    return challenge


def _send_code(
    user: User, device: SecurityDevice, purpose: Purpose, session: str, *, now: datetime
) -> Challenge:
    """
    Send a new code, unless one was sent to this session a moment ago. It is kept as a keyed fingerprint;
    its text waits sealed in the outbox until it is handed over.
    """
    mine = Challenge.objects.filter(user=user, device=device, purpose=purpose, session=session)
    fresh = mine.filter(
        state=ChallengeState.OPEN, issued_at__gt=now - settings.SMS_RESEND, issued_at__lte=now
    )
    if (sent := fresh.order_by("-issued_at").first()) is not None:
        return sent
    recent = Q(user=user, issued_at__gt=now - throttle.CHALLENGES_OF_USER.window)
    _check_budget(Challenge.objects.filter(recent).count())
    number = json.loads(vault.sealed_field(device, "secret").open_from(device))["number"]
    budgets = [(throttle.SMS_OF_USER, user.username), (throttle.SMS_OF_NUMBER, number_key(number))]
    if throttle.spend(
        budgets, now=now
    ):  # rolled back with the refusal: what is not sent is not counted
        raise Refused(ProofRefusal.TOO_MANY_MESSAGES)
    code, pk = codes.new_sms(), uuid.uuid4()
    text = message(
        user=user,
        event="sms_code",
        fact=str(pk),
        now=now,
        channel=Channel.SMS,
        to=number,
        life=settings.SMS_CODE_LIFE,
        code=code,
        minutes=settings.SMS_CODE_LIFE.seconds // 60,
    )
    enqueue([text])
    return Challenge.objects.create(
        pk=pk,
        user=user,
        device=device,
        purpose=purpose,
        session=session,
        expected=_fingerprint(code, pk),
        reusable=True,
        issued_at=now,
        expires_at=now + settings.SMS_CODE_LIFE,
    )


def _fingerprint(code: str, challenge_id: uuid.UUID) -> str:
    return vault.index(code, purpose=f"sms code {challenge_id}")


def _draw_question(user: User, device: SecurityDevice, purpose: Purpose, *, now: datetime) -> str:
    since = now - throttle.CHALLENGES_OF_USER.window
    if device.traits.element is Element.CHALLENGE_CODE:
        while True:
            digits = f"{secrets.randbelow(10**CHALLENGE_DIGITS):0{CHALLENGE_DIGITS}}"
            found = _recent_or_met(user=user.pk, since=since, device=device.pk, question=digits)
            _check_budget(sum(is_recent for is_recent, _is_met in found))
            if not any(is_met for _is_recent, is_met in found):
                return digits
    _check_budget(Challenge.objects.filter(user=user, issued_at__gt=since).count())
    if device.traits.element is Element.CODE:
        return ""
    # The same two indexes until they are answered or expire: nobody shops for a pair he has seen. But
    # never those asked of another user or for another purpose: an answer serves what it was asked for.
    asked = Challenge.objects.filter(device=device)
    answered = asked.filter(state=ChallengeState.ANSWERED)
    still_open = asked.filter(state=ChallengeState.OPEN, expires_at__gt=now)
    rows = list((still_open | answered).values_list("question", "state", "user", "purpose"))
    mine = (ChallengeState.OPEN, user.pk, purpose)
    used = {question for question, *whose in rows if tuple(whose) != mine}
    for question, *whose in rows:
        if tuple(whose) == mine and question not in used:
            return question
    pairs = [codecard.parse_question(question) for question in used]
    pair = codecard.draw(pairs, mode=codecard.CardMode(settings.CODE_CARD_MODE))
    if pair is None:
        raise Refused(ProofRefusal.CARD_USED_UP)
    return codecard.question(pair)


@compiled(user=BigIntegerField(), since=DateTimeField(), device=UUIDField(), question=CharField())
def _recent_or_met(user: Any, since: Any, device: Any, question: Any) -> QuerySet[Any, Any]:
    """The user's recent challenges, and the answered one with this question, each as two booleans."""
    recent = Q(user=user, issued_at__gt=since)
    met = Q(device=device, state=ChallengeState.ANSWERED, reusable=False, question=question)
    found = Challenge.objects.filter(recent | met)
    return found.values_list(
        ExpressionWrapper(recent, BooleanField()), ExpressionWrapper(met, BooleanField())
    )


def _check_budget(drawn: int) -> None:
    if drawn >= throttle.CHALLENGES_OF_USER.size:
        raise Refused(ProofRefusal.TOO_MANY_ATTEMPTS)


def spend(challenge: Challenge, *, users: Iterable[User], session: str, now: datetime) -> None:
    """
    Commit one try, counted against the challenge and each of `users`, before the response is judged.
    Raises Refused when the challenge is dead or a limit is used up; call it outside a transaction.
    """
    if (
        challenge.state != ChallengeState.OPEN
        or challenge.expires_at <= now
        or challenge.issued_at > now
        or challenge.session != session
    ):
        raise Refused(ProofRefusal.CHALLENGE_EXPIRED)
    used_up = throttle.spend(_limits(challenge, users), now=now)
    if _tries_of(challenge).name in used_up:
        raise Refused(ProofRefusal.CHALLENGE_EXPIRED)
    if used_up:
        raise Refused(ProofRefusal.TOO_MANY_ATTEMPTS)


def answer(
    challenge: Challenge,
    response: str,
    *,
    users: Iterable[User],
    purpose: Purpose,
    session: str,
    now: datetime,
    also_clear: Iterable[throttle.Pair] = (),
) -> None:
    """
    Judge the response and claim the challenge, in the caller's transaction; on success the tries of
    `users` and `also_clear` are forgotten. Raises Refused, and then nothing is changed.

    Threat: the same response posted many times at once, in another session, or for another purpose. The
    conditional update lets one of them through, whatever the row looked like when it was read.
    """
    if not _is_right(challenge, response):
        raise Refused(ProofRefusal.INVALID_RESPONSE)
    try:
        claimed = _claim(pk=challenge.pk, purpose=purpose, session=session, now=now)
    except IntegrityError as error:  # the same question was answered through another challenge
        raise Refused(ProofRefusal.CHALLENGE_EXPIRED) from error
    if not claimed:
        raise Refused(ProofRefusal.CHALLENGE_EXPIRED)
    throttle.clear([*_limits(challenge, users), *also_clear])


@compiled_update(pk=UUIDField(), purpose=CharField(), session=CharField(), now=DateTimeField())
def _claim(
    pk: Any, purpose: Any, session: Any, now: Any
) -> tuple[QuerySet[Challenge], dict[str, Any]]:
    # No join here: PostgreSQL would make it a subquery, which a waiting loser does not evaluate again.
    active = SecurityDevice.objects.filter(pk=OuterRef("device"), state=DeviceState.ACTIVE)
    rows = Challenge.objects.filter(
        Exists(active.filter(unexpired(now, device=""))),
        pk=pk,
        purpose=purpose,
        session=session,
        state=ChallengeState.OPEN,
        expires_at__gt=now,
    )
    return rows, {"state": ChallengeState.ANSWERED, "answered_at": now}


def _limits(challenge: Challenge, users: Iterable[User]) -> list[throttle.Pair]:
    of_users = [(throttle.SECOND_FACTOR_OF_USER, user.username) for user in users]
    return [(_tries_of(challenge), str(challenge.pk)), *of_users]


def _tries_of(challenge: Challenge) -> Limit:
    return TRIES_OF_SMS_CODE if challenge.expected else TRIES_OF_CHALLENGE


def _is_right(challenge: Challenge, response: str) -> bool:
    if challenge.device.kind == DeviceKind.SMS:
        typed = _fingerprint(codes.normalise(response), challenge.pk)
        return bool(challenge.expected) and hmac.compare_digest(challenge.expected, typed)
    expected = expected_response(challenge.device, challenge.question)
    is_code = challenge.device.traits.element is Element.CODE
    typed = codes.normalise(response) if is_code else plain_response(response)
    return hmac.compare_digest(expected.encode(), typed.encode())


def expected_response(device: SecurityDevice, question: str) -> str:
    """What the device displays for `question`. Raises VaultError when its secret does not open."""
    secret = json.loads(vault.sealed_field(device, "secret").open_from(device))
    match device.kind:
        case DeviceKind.DSC_PLUS | DeviceKind.IB_KEY:
            pin_hash = secret.get("pin_hash")
            return oath.ocra(
                secret["suite"],
                bytes.fromhex(secret["key"]),
                question,
                pin_hash=bytes.fromhex(pin_hash) if pin_hash else None,
            )
        case DeviceKind.CODE_CARD | DeviceKind.ONLINE_CARD:
            return codecard.expected(secret["cells"], question)
        case DeviceKind.TEMPORARY_CODE:
            return str(secret["code"])
    raise ValueError(f"{device.kind} answers no questions")


def cells_of(device: SecurityDevice) -> tuple[str, ...]:
    """The values of a code card, for printing it."""
    secret = json.loads(vault.sealed_field(device, "secret").open_from(device))
    return tuple(secret["cells"])
