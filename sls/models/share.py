"""The share wizard's row."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .challenge import Challenge
from .device import SecurityDevice
from .policy import ReviewPolicy


class ShareState(models.TextChoices):
    """
    draft → proven → enforced, or → pending → enforced or rejected. "Approved, processed and enforced" are
    three words of the source: approval has its own time, processing is the transaction that enforces.
    """

    DRAFT = "draft", _("Started")
    PROVEN = "proven", _("Device confirmed")
    PENDING = "pending", _("Waiting for approval")
    ENFORCED = "enforced", _("Approved and in force")
    REFUSED = "refused", _("Not possible")
    REJECTED = "rejected", _("Rejected")
    CANCELLED = "cancelled", _("Cancelled")
    EXPIRED = "expired", _("Expired")


OPEN = [ShareState.DRAFT, ShareState.PROVEN]


class ShareRequest(models.Model):
    """`requester` asks to answer with `device`, which belongs to `owner`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="share_requests",
        verbose_name=_("requesting user"),
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="lendings",
        verbose_name=_("device owner"),
    )
    device = models.ForeignKey(
        SecurityDevice, models.PROTECT, related_name="shares", verbose_name=_("device")
    )
    challenge = models.OneToOneField(Challenge, models.PROTECT, related_name="+")
    owner_password_mark = models.CharField(max_length=64, editable=False)
    state = models.CharField(
        _("status"), max_length=10, choices=ShareState, default=ShareState.DRAFT
    )
    reasons = models.JSONField(_("reasons"), default=list, blank=True)
    # What was found at submission, by review reason (`sls.review`), and the rules that judged it.
    findings = models.JSONField(_("findings"), default=dict, blank=True)
    policy = models.ForeignKey(
        ReviewPolicy, models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    reviewers = models.PositiveSmallIntegerField(_("reviewers needed"), default=0)
    decision_reason = models.CharField(_("reason of the decision"), max_length=40, blank=True)
    client_note = models.CharField(_("note of the client"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("started at"))
    expires_at = models.DateTimeField(_("expires at"))
    proven_at = models.DateTimeField(_("device confirmed at"), null=True, blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    enforced_at = models.DateTimeField(_("enforced at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)

    class Meta:
        verbose_name = _("share request")
        verbose_name_plural = _("share requests")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(requester=F("owner")), name="nobody_shares_with_himself"
            ),
            models.UniqueConstraint(
                fields=["requester"],
                condition=Q(state__in=OPEN),
                name="one_open_wizard_per_requester",
            ),
            models.UniqueConstraint(
                fields=["requester"],
                condition=Q(state=ShareState.PENDING),
                name="one_pending_request_per_requester",
            ),
            models.UniqueConstraint(
                fields=["requester"],
                condition=Q(state=ShareState.ENFORCED),
                name="one_borrowed_device_per_requester",
            ),
            models.CheckConstraint(
                condition=~Q(state=ShareState.ENFORCED)
                | Q(
                    proven_at__isnull=False,
                    submitted_at__isnull=False,
                    approved_at__isnull=False,
                    enforced_at__isnull=False,
                ),
                name="enforced_was_proven_and_approved",
            ),
            models.CheckConstraint(
                condition=~Q(state=ShareState.PENDING)
                | Q(proven_at__isnull=False, submitted_at__isnull=False),
                name="pending_was_proven",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["requester", "owner", "-ended_at"], name="shares_of_a_pair"),
            models.Index(fields=["state", "submitted_at", "id"], name="queue_of_shares"),
            models.Index(
                fields=["owner"],
                condition=Q(state=ShareState.PENDING),
                name="pending_shares_of_an_owner",
            ),
            models.Index(
                fields=["-submitted_at"],
                condition=Q(submitted_at__isnull=False),
                name="submitted_shares",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id} → {self.requester_id}: {self.state}"
