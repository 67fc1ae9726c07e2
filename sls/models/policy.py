"""The dated rules by which shares are held for review."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import IsNull
from django.utils.translation import gettext_lazy as _


class ReviewPolicy(models.Model):
    """
    The rules in force from `starts_at` until `ends_at` (None: until further notice). Its id is its version;
    version 0 is what the program ships, in force before the first row. `rules` holds, by the code of a
    `sls.review.ReviewReason`, `{"threshold": 1, "holds": true, "reviewers": 2}`; what is missing is
    switched off. A policy that has started is never changed, only followed by the next.
    """

    rules = models.JSONField(_("rules"))
    starts_at = models.DateTimeField(_("starts at"), unique=True)
    ends_at = models.DateTimeField(_("ends at"), null=True, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made at"))
    note = models.CharField(_("why"), max_length=500)

    class Meta:
        verbose_name = _("review policy")
        verbose_name_plural = _("review policies")
        constraints: ClassVar = [
            models.UniqueConstraint(
                IsNull(F("ends_at"), True),
                condition=Q(ends_at__isnull=True),
                name="one_review_policy_without_end",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="review_policy_ends_after_its_start",
            ),
        ]

    def __str__(self) -> str:
        return str(_("Version %(version)s") % {"version": self.pk})
