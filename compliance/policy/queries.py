"""Reading policies, and rehearsing one on requests that were really made."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from sls.models import ReviewPolicy, ShareRequest
from sls.review import Policy
from sls.sharing.queries import policy_of

from .rules import Comparison, Flip, compare

FLIPS_SHOWN = 100
MOST_REQUESTS = 5000


def policies() -> QuerySet[ReviewPolicy]:
    """All of them, the newest first, with their authors."""
    return ReviewPolicy.objects.select_related("made_by").order_by("-starts_at")


def last_policy() -> ReviewPolicy | None:
    """The one without an end, which the next one follows: in force, or the last of the scheduled."""
    return ReviewPolicy.objects.filter(ends_at__isnull=True).first()


def state_of(row: ReviewPolicy, *, now: datetime) -> str:
    """ "scheduled", "in_force" or "over"."""
    if row.starts_at > now:
        return "scheduled"
    return "in_force" if row.ends_at is None or row.ends_at > now else "over"


@dataclass(frozen=True)
class ShownFlip:
    """A flip with the request's own words, for a list."""

    flip: Flip
    share_id: uuid.UUID
    requester: str
    owner: str
    submitted_at: datetime | None


@dataclass(frozen=True)
class Rehearsal:
    """`shown` are the first `FLIPS_SHOWN` flips, the newest requests first."""

    comparison: Comparison
    shown: tuple[ShownFlip, ...]
    since: datetime | None

    @property
    def left_out(self) -> int:
        return len(self.comparison.flips) - len(self.shown)


def rehearse(policy: Policy, *, at_most: int = 0, follows: Policy | None = None) -> Rehearsal:
    """
    What `policy` would have made of the last `at_most` requests (0: `REHEARSAL_REQUESTS`, never more than
    `MOST_REQUESTS`), compared with the policy it `follows` (None: the last one). Two or three statements.
    """
    before = follows or policy_of(last_policy())
    size = min(at_most or settings.REHEARSAL_REQUESTS, MOST_REQUESTS)
    rows = list(
        ShareRequest.objects.filter(submitted_at__isnull=False)
        .exclude(findings={})  # older than the findings
        .order_by("-submitted_at", "pk")
        .values_list("pk", "findings", "submitted_at")[:size]
    )
    comparison = compare(before, policy, ((pk, findings) for pk, findings, _at in rows))
    shown = comparison.flips[:FLIPS_SHOWN]
    return Rehearsal(comparison, _with_words(shown), rows[-1][2] if rows else None)


def _with_words(flips: tuple[Flip, ...]) -> tuple[ShownFlip, ...]:
    if not flips:
        return ()
    named = ShareRequest.objects.filter(pk__in=[flip.key for flip in flips]).values_list(
        "pk", "requester__username", "owner__username", "submitted_at"
    )
    words = {pk: (requester, owner, at) for pk, requester, owner, at in named}
    return tuple(ShownFlip(flip, flip.key, *words[flip.key]) for flip in flips if flip.key in words)
