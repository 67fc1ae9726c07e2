"""
Reading one case: the request, what officers did about it, and the evidence, in a fixed number of queries.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils.timezone import localdate

from compliance.models import EvidenceSeen, PendingShare, ReviewCase
from sls.models import ShareRequest, ShareState
from sls.review import reviewers_of
from sls.sharing import queries as sharing

from .evidence import Evidence
from .gathering import evidence

OFFICERS = ("claimed_by", "recommended_by", "decided_by")


@dataclass(frozen=True)
class Case:
    """
    A share as the desk sees it. `review` is None until somebody claims it; `seen` is the stored evidence
    of its steps, by step. `due_on` is the day by which the client expects an answer.
    """

    share: ShareRequest
    review: ReviewCase | None
    evidence: Evidence
    seen: dict[str, EvidenceSeen]
    due_on: date
    is_overdue: bool

    @property
    def is_waiting(self) -> bool:
        return self.share.state == ShareState.PENDING

    @property
    def reviewers(self) -> int:
        return reviewers_of(self.share.reviewers)

    @property
    def needs_recommendation(self) -> bool:
        return self.reviewers > 1 and not (self.review and self.review.recommendation)


def shares() -> QuerySet[PendingShare]:
    """Submitted shares with everything a decision reads of them, in one query."""
    return (
        PendingShare.objects.filter(submitted_at__isnull=False)
        .select_related(
            *("requester__entity", "owner__entity", "device", "policy"),
            *(f"review__{officer}__entity" for officer in OFFICERS),
        )
        .defer("device__secret", "requester__password", "owner__password")
    )


def share_of(share_id: uuid.UUID) -> PendingShare | None:
    return shares().filter(pk=share_id).first()


def review_of(share: ShareRequest) -> ReviewCase | None:
    found: ReviewCase | None = getattr(share, "review", None)
    return found


def case_of(share_id: uuid.UUID, *, now: datetime) -> Case | None:
    """The case, or None for what was never submitted to Compliance."""
    share = share_of(share_id)
    if share is None:
        return None
    assert share.submitted_at is not None
    due_on = sharing.due_on(share.submitted_at)
    rows = EvidenceSeen.objects.filter(case=share.pk).select_related("seen_by")
    return Case(
        share=share,
        review=review_of(share),
        evidence=evidence(share, now=now),
        seen={row.step: row for row in rows},
        due_on=due_on,
        is_overdue=share.state == ShareState.PENDING and localdate(now) > due_on,
    )
