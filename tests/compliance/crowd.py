"""Many requests that wait, without their wizards."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from compliance.models import ReviewCase
from portal.models import Entity, User
from sls.models import Challenge, SecurityDevice, ShareRequest, ShareState

MINUTE = timedelta(minutes=1)


def waiting(
    count: int,
    *,
    prefix: str = "waits",
    since: datetime | None = None,
    step: timedelta = MINUTE,
    kind: str = "dsc_plus",
    reasons: Sequence[str] = ("other_entity",),
) -> list[ShareRequest]:
    """`count` requests, `step` apart, oldest first; the requesters are `prefix`-0, `prefix`-1 …"""
    first = since or timezone.now() - count * step
    entities = Entity.objects.bulk_create([Entity(name=f"{prefix} Ltd {n}") for n in range(count)])
    requesters = _users([f"{prefix}-{n}" for n in range(count)], entities)
    owners = _users([f"{prefix}-owner-{n}" for n in range(count)], entities)
    devices = SecurityDevice.objects.bulk_create(
        [
            SecurityDevice(kind=kind, serial=f"{prefix}-{n:04}", secret="", created_at=first)
            for n in range(count)
        ]
    )
    challenges = Challenge.objects.bulk_create(
        [
            Challenge(
                user=user,
                device=device,
                purpose="share",
                question="123456",
                issued_at=first,
                expires_at=first,
            )
            for user, device in zip(requesters, devices, strict=True)
        ]
    )
    return ShareRequest.objects.bulk_create(
        [
            ShareRequest(
                requester=requesters[n],
                owner=owners[n],
                device=devices[n],
                challenge=challenges[n],
                state=ShareState.PENDING,
                reasons=list(reasons),
                reviewers=2,
                created_at=first + n * step,
                expires_at=first + n * step,
                proven_at=first + n * step,
                submitted_at=first + n * step,
            )
            for n in range(count)
        ]
    )


def _users(names: Sequence[str], entities: Sequence[Entity]) -> list[User]:
    return User.objects.bulk_create(
        [
            User(username=name, entity=entity, email=f"{name}@example.com", password="!")
            for name, entity in zip(names, entities, strict=True)
        ]
    )


def claim(share: ShareRequest, officer: User, *, at: datetime | None = None, **more) -> ReviewCase:
    """A claimed case, as far as `more` columns bring it."""
    at = at or timezone.now()
    return ReviewCase.objects.create(share=share, claimed_by=officer, claimed_at=at, **more)


def recommend(share: ShareRequest, officer: User, **more) -> ReviewCase:
    now = timezone.now()
    made = {"recommended_by": officer, "recommended_at": now, "recommendation": "approve"}
    return claim(share, officer, **(made | more))


def decide(
    share: ShareRequest, officer: User, *, at: datetime, decision: str = "approve"
) -> ReviewCase:
    state = ShareState.REJECTED
    ShareRequest.objects.filter(pk=share.pk).update(state=state, ended_at=at)
    made = {"decided_by": officer, "decided_at": at, "decision": decision}
    return claim(share, officer, at=at, **made)
