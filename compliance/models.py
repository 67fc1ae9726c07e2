"""Compliance's half of a share that waits for approval."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from sls.models import ShareRequest


class PendingShare(ShareRequest):
    """What waits, or has waited, for Compliance: a share as the desk sees it."""

    class Meta:
        proxy = True
        verbose_name = _("pending share")
        verbose_name_plural = _("pending shares")


class Verdict(models.TextChoices):
    APPROVE = "approve", _("Approve")
    REJECT = "reject", _("Reject")


class ReviewCase(models.Model):
    """
    What officers did about one share. The row comes with the first claim. The maker recommends, the checker
    decides; where one reviewer is enough there is no recommendation. Nobody is both, and that the same
    *person* is not both, nor a party, the operations check (R12).
    """

    share = models.OneToOneField(
        ShareRequest,
        models.PROTECT,
        primary_key=True,
        related_name="review",
        verbose_name=_("share request"),
    )
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="claimed_cases",
        verbose_name=_("claimed by"),
    )
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    recommended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recommended by"),
    )
    recommended_at = models.DateTimeField(_("recommended at"), null=True, blank=True)
    recommendation = models.CharField(
        _("recommendation"), max_length=8, choices=Verdict, blank=True
    )
    recommendation_reason = models.CharField(
        _("reason of the recommendation"), max_length=40, blank=True
    )
    recommendation_note = models.TextField(
        _("note of the recommendation"), max_length=2000, blank=True
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision = models.CharField(_("decision"), max_length=8, choices=Verdict, blank=True)
    decision_reason = models.CharField(_("reason of the decision"), max_length=40, blank=True)
    decision_note = models.TextField(_("note of the decision"), max_length=2000, blank=True)
    # When the leads were told that it is overdue.
    escalated_at = models.DateTimeField(_("escalated at"), null=True, blank=True)

    class Meta:
        verbose_name = _("review case")
        verbose_name_plural = _("review cases")
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("work_reviewcase", _("Can claim cases and recommend")),
            ("decide_reviewcase", _("Can decide cases")),
            ("assign_reviewcase", _("Can take a case from a colleague and hand it over")),
            ("unmask_evidence", _("Can see unmasked identification data")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(claimed_by__isnull=True, claimed_at__isnull=True)
                | Q(claimed_by__isnull=False, claimed_at__isnull=False),
                name="claimed_by_with_its_time",
            ),
            models.CheckConstraint(
                condition=Q(recommended_by__isnull=True, recommended_at__isnull=True)
                & Q(recommendation="")
                | Q(recommended_by__isnull=False, recommended_at__isnull=False)
                & ~Q(recommendation=""),
                name="recommended_by_with_its_time_and_verdict",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, decided_at__isnull=True) & Q(decision="")
                | Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(decision=""),
                name="decided_by_with_its_time_and_verdict",
            ),
            models.CheckConstraint(
                condition=Q(recommended_by__isnull=True)
                | Q(decided_by__isnull=True)
                | ~Q(recommended_by=F("decided_by")),
                name="maker_is_not_the_checker",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["decided_at", "share"], name="cases_by_decision"),
            models.Index(
                fields=["claimed_at", "share"],
                condition=Q(decided_at__isnull=True, claimed_at__isnull=False),
                name="claimed_cases",
            ),
            models.Index(
                fields=["claimed_by", "claimed_at"],
                condition=Q(decided_at__isnull=True),
                name="open_cases_of_an_officer",
            ),
            models.Index(
                fields=["recommended_at"],
                condition=Q(decided_at__isnull=True, recommended_at__isnull=False),
                name="cases_that_await_the_checker",
            ),
        ]

    def __str__(self) -> str:
        return str(self.share_id)


class Dashboard(ReviewCase):
    """The desk in numbers; a proxy, so that the admin lists its page."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = verbose_name_plural = _("dashboard")


class EvidenceSeen(models.Model):
    """
    What an officer had before him when he recommended or decided, masked as he saw it, so that it can be
    re-read as it was. `digest` covers the unmasked facts: it tells whether they are still the same.
    """

    class Step(models.TextChoices):
        RECOMMENDATION = "recommendation", _("Recommendation")
        DECISION = "decision", _("Decision")

    case = models.ForeignKey(ReviewCase, models.PROTECT, related_name="evidence")
    step = models.CharField(_("step"), max_length=14, choices=Step)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("seen by")
    )
    seen_at = models.DateTimeField(_("seen at"))
    digest = models.CharField(max_length=64)
    data = models.JSONField(_("evidence"))

    class Meta:
        verbose_name = _("evidence as seen")
        verbose_name_plural = _("evidence as seen")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["case"], condition=Q(step="decision"), name="one_decision_per_case"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} {self.step}"
