"""Reading what waits on phones."""

from datetime import datetime
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.credentials import locked
from portal.models import Allowance, User
from portal.throttle import PASSWORD_OF_NAME, PROMPTS_OF_USER, SECOND_FACTOR_OF_USER, Limit
from sls.models import (
    AttemptState,
    DeviceGrant,
    DeviceState,
    GrantState,
    LoginAttempt,
    LoginPrompt,
    Phone,
    PhoneState,
    PhoneUser,
    PromptReport,
    PromptState,
    SecurityDevice,
)

# Conditions for updates of prompts and attempts, without joins: see docs/architecture.md, "No joins in claims".
PHONE_IS_ACTIVE = Exists(Phone.objects.filter(pk=OuterRef("phone"), state=PhoneState.ACTIVE))
PHONE_USER_IS_ACTIVE = Exists(PhoneUser.objects.filter(pk=OuterRef("phone_user"), is_active=True))


def grant_of_phone_user_is_active() -> Exists:
    device = SecurityDevice.objects.filter(pk=OuterRef("device"), state=DeviceState.ACTIVE)
    grant = DeviceGrant.objects.filter(
        Exists(device), pk=OuterRef("grant"), state=GrantState.ACTIVE
    )
    return Exists(PhoneUser.objects.filter(Exists(grant), pk=OuterRef("phone_user")))


def attempt_is_pending(now: datetime) -> Exists:
    return Exists(
        LoginAttempt.objects.filter(
            pk=OuterRef("attempt"), state=AttemptState.PENDING, expires_at__gt=now
        )
    )


def user_may_enter(user: User, *, is_known_browser: bool, now: datetime) -> Exists:
    """
    Active, not locked, and with the password the login began with. In a known browser strangers' wrong
    passwords do not count, as they do not in `login.operations.begin`.
    """
    limits: tuple[Limit, ...] = (SECOND_FACTOR_OF_USER,)
    if not is_known_browser:
        limits += (PASSWORD_OF_NAME,)
    users = User.objects.annotate(is_locked=locked(now=now, limits=limits))
    return Exists(
        users.filter(pk=OuterRef("user"), is_active=True, is_locked=False, password=user.password)
    )


def approved(now: datetime) -> Exists:
    """Of an attempt: its phone has said yes, and phone, username and device are still in order."""
    return Exists(
        LoginPrompt.objects.filter(
            PHONE_IS_ACTIVE,
            PHONE_USER_IS_ACTIVE,
            attempt=OuterRef("pk"),
            state=PromptState.APPROVED,
            decided_at__lte=now,
        )
    )


def phone_of(grant: DeviceGrant, *, address: str, now: datetime) -> PhoneUser | None:
    """
    The username on an active phone behind an IB Key, with what decides about a prompt: `recent` prompts,
    `is_paused`, `is_known_address`, `had_failures`. One query.
    """
    recent = LoginPrompt.objects.filter(
        user=OuterRef("user"), created_at__gt=now - PROMPTS_OF_USER.window
    )
    count = recent.order_by().values("user").annotate(number=Count("*")).values("number")
    entered = LoginAttempt.objects.filter(user=OuterRef("user"), state=AttemptState.COMPLETED)
    reported = PromptReport.objects.filter(
        ~Exists(entered.filter(started_at__gt=OuterRef("reported_at"))),
        user=OuterRef("user"),
    )
    failures = Allowance.objects.filter(
        limit__in=[PASSWORD_OF_NAME.name, SECOND_FACTOR_OF_USER.name],
        key=OuterRef("user__username"),
        spent__gt=0,
        resets_at__gt=now,
    )
    return (
        PhoneUser.objects.filter(grant=grant, is_active=True, phone__state=PhoneState.ACTIVE)
        .select_related("phone")
        .annotate(
            recent=Coalesce(Subquery(count), 0),
            is_paused=Exists(reported),
            is_known_address=Exists(entered.filter(address=address)),
            had_failures=Exists(failures),
        )
        .first()
    )


def prompt_of(attempt: LoginAttempt) -> LoginPrompt | None:
    """What the phone was asked about this login."""
    rows = LoginPrompt.objects.filter(attempt=attempt)
    return rows.select_related("phone", "phone_user__grant__device", "attempt", "user").first()


def login_is_decided(attempt_id: str) -> bool:
    """The reader of waiting login pages: nothing waits for the phone any more."""
    waiting = LoginPrompt.objects.filter(attempt_id=UUID(attempt_id), state=PromptState.WAITING)
    return not waiting.exists()


def phone_is_asked(phone_id: str) -> bool:
    """The reader of an open app with an empty list."""
    return LoginPrompt.objects.filter(phone_id=UUID(phone_id), state=PromptState.WAITING).exists()


def waiting_on(phone: Phone, *, now: datetime) -> QuerySet[LoginPrompt]:
    """What the phone's list shows: the truth, whatever was pushed."""
    return (
        LoginPrompt.objects.filter(
            phone=phone,
            state=PromptState.WAITING,
            expires_at__gt=now,
            attempt__state=AttemptState.PENDING,
            attempt__expires_at__gt=now,
            phone_user__is_active=True,
        )
        .select_related("attempt", "user__entity")
        .order_by("created_at")
    )
