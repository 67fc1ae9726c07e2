"""
After an old copy of the database has been put back: whatever was open then is void (abuse-cases.md F 169).

What was open in the copy may have been used since, and the copy does not know it. So every session, question,
code, prompt and half-done wizard ends, every browser is a stranger again, and codes that wait in the outbox
are not sent. What was decided and finished in the copy stays.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q

from portal import audit
from portal.caller import Caller
from portal.models import (
    AuditEvent,
    BrowserSession,
    Channel,
    MessageState,
    OutboxMessage,
    User,
)
from portal.models.outbox import WAITING
from sls import events
from sls.models import (
    AttemptState,
    CardRequestState,
    Challenge,
    ChallengeState,
    CodeRequestState,
    LoginAttempt,
    LoginPrompt,
    NumberCheck,
    OnlineCardRequest,
    PasswordReset,
    PhoneActivation,
    PromptState,
    ShareRequest,
    ShareState,
    TemporaryCodeRequest,
)
from sls.models.mobile import NumberCheckState
from sls.models.phone import LIVE_ACTIVATIONS, ActivationState
from sls.models.share import OPEN
from sls.models.temporary import OPEN_CODE_REQUESTS

EPOCHS = 1000  # more than a username can have used up since the copy
CODES = Q(channel__in=[Channel.SMS, Channel.PUSH])


@transaction.atomic(durable=True)
def void_what_was_open(*, by: Caller, now: datetime) -> dict[str, int]:
    """End all of it at once; how many of each, which is also on record."""
    waiting = OutboxMessage.objects.filter(state__in=WAITING)
    tail = AuditEvent.objects.order_by("-number").first()
    ended = {
        "questions_used_up": _use_up(since=tail.at if tail else now, now=now),
        "sessions": BrowserSession.objects.all().delete()[0],
        "logins": LoginAttempt.objects.filter(state=AttemptState.PENDING).update(
            state=AttemptState.EXPIRED
        ),
        "prompts": LoginPrompt.objects.filter(state=PromptState.WAITING).update(
            state=PromptState.EXPIRED
        ),
        "questions": Challenge.objects.filter(state=ChallengeState.OPEN, expires_at__gt=now).update(
            expires_at=now, session="", expected=""
        ),
        "wizards": ShareRequest.objects.filter(state__in=OPEN).update(
            state=ShareState.EXPIRED, ended_at=now
        ),
        "resets": PasswordReset.objects.filter(expires_at__gt=now).update(expires_at=now),
        "numbers": NumberCheck.objects.filter(state=NumberCheckState.SENT).update(
            state=NumberCheckState.REPLACED
        ),
        "activations": PhoneActivation.objects.filter(state__in=LIVE_ACTIVATIONS).update(
            state=ActivationState.ENDED, code=""
        ),
        "cards": OnlineCardRequest.objects.filter(state=CardRequestState.SHOWN).update(
            state=CardRequestState.EXPIRED
        ),
        "temporary_codes": TemporaryCodeRequest.objects.filter(state__in=OPEN_CODE_REQUESTS).update(
            state=CodeRequestState.EXPIRED
        ),
        "codes_not_sent": waiting.filter(CODES).update(
            state=MessageState.EXPIRED, context="", recipient=""
        ),
        "letters_perhaps_twice": waiting.exclude(CODES).update(maybe_twice=True),
        "browsers_forgotten": User.objects.update(browser_epoch=F("browser_epoch") + EPOCHS),
    }
    audit.record(
        event=events.RESTORED,
        by=by,
        subject=None,
        at=now,
        after=tail.number if tail else 0,
        **ended,
    )
    return ended


def _use_up(*, since: datetime, now: datetime) -> int:
    """
    The questions that were open when the copy was made may have been answered afterwards, before somebody's
    eyes. They count as answered, so that they never come again for their device.
    """
    fresh = Challenge.objects.filter(
        state=ChallengeState.OPEN, reusable=False, expires_at__gt=since
    ).exclude(question="")
    used = 0
    for challenge in fresh.order_by("pk"):
        twin = Challenge.objects.filter(
            device=challenge.device_id,
            question=challenge.question,
            state=ChallengeState.ANSWERED,
            reusable=False,
        )
        if not twin.exists():
            used += Challenge.objects.filter(pk=challenge.pk, state=ChallengeState.OPEN).update(
                state=ChallengeState.ANSWERED, answered_at=now, session=""
            )
    return used
