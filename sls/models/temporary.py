"""How temporary devices come about: a Temporary Code by two members of staff, a card by the user himself."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .challenge import Challenge
from .device import SecurityDevice


class IdentityCheck(models.TextChoices):
    """How staff made sure who is on the telephone (KB70)."""

    CALL_BACK = "call_back", _("Called back on a number on record")
    QUESTIONS = "questions", _("Questions about the account answered")
    DOCUMENT = "document", _("Identification document compared by video")
    IN_PERSON = "in_person", _("In person, with an identification document")


class CodeRequestState(models.TextChoices):
    REQUESTED = "requested", _("Waiting for a second member of staff")
    CONFIRMED = "confirmed", _("Confirmed, not read out yet")
    REVEALED = "revealed", _("Read out")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired")


OPEN_CODE_REQUESTS = [CodeRequestState.REQUESTED, CodeRequestState.CONFIRMED]


class TemporaryCodeRequest(models.Model):
    """
    A maker says whom he has identified and how, a checker decides, and only then the maker reads the code
    out. The same person behind two usernames is one person (R12); that part the operations check.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="code_requests",
        verbose_name=_("client"),
    )
    identity_check = models.CharField(_("identity check"), max_length=12, choices=IdentityCheck)
    identity_note = models.CharField(_("what was checked"), max_length=500)
    reason = models.CharField(_("why a code is needed"), max_length=500)
    state = models.CharField(
        _("state"), max_length=10, choices=CodeRequestState, default=CodeRequestState.REQUESTED
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    made_at = models.DateTimeField(_("asked at"))
    expires_at = models.DateTimeField(_("expires at"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    revealed_at = models.DateTimeField(_("read out at"), null=True, blank=True)
    device = models.OneToOneField(
        SecurityDevice,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="code_request",
        verbose_name=_("device"),
    )

    class Meta:
        verbose_name = _("temporary code request")
        verbose_name_plural = _("temporary code requests")
        permissions: ClassVar = [
            ("request_temporary_code", _("Can ask for a Temporary Code and read it out")),
            ("confirm_temporary_code", _("Can confirm a Temporary Code")),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=CodeRequestState.values), name="code_request_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(made_by=F("user")), name="code_maker_is_not_the_client"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True)
                | (~Q(decided_by=F("made_by")) & ~Q(decided_by=F("user"))),
                name="code_checker_is_somebody_else",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, decided_at__isnull=True)
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="code_decision_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(state=CodeRequestState.REQUESTED, decided_at__isnull=True)
                | Q(state=CodeRequestState.EXPIRED)
                | Q(
                    state__in=[
                        CodeRequestState.CONFIRMED,
                        CodeRequestState.REVEALED,
                        CodeRequestState.DECLINED,
                    ],
                    decided_at__isnull=False,
                ),
                name="code_decision_fits_its_state",
            ),
            models.CheckConstraint(
                condition=Q(
                    state=CodeRequestState.REVEALED,
                    revealed_at__isnull=False,
                    device__isnull=False,
                )
                | (
                    ~Q(state=CodeRequestState.REVEALED)
                    & Q(revealed_at__isnull=True, device__isnull=True)
                ),
                name="code_is_revealed_with_its_device",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state__in=OPEN_CODE_REQUESTS),
                name="one_open_code_request_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"


class CardRequestState(models.TextChoices):
    SHOWN = "shown", _("Waiting for confirmation")
    CONFIRMED = "confirmed", _("Confirmed")
    REPLACED = "replaced", _("Replaced by a newer one")
    EXPIRED = "expired", _("Expired")


class OnlineCardRequest(models.Model):
    """
    A card on its way to `user`: he may look at it until he has confirmed it with two of its values. Only
    then does he get a grant for it, so an unconfirmed card opens nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="card_requests")
    device = models.OneToOneField(SecurityDevice, models.PROTECT, related_name="card_request")
    challenge = models.ForeignKey(Challenge, models.SET_NULL, null=True, related_name="+")
    state = models.CharField(
        max_length=10, choices=CardRequestState, default=CardRequestState.SHOWN
    )
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state=CardRequestState.CONFIRMED, confirmed_at__isnull=False)
                | (~Q(state=CardRequestState.CONFIRMED) & Q(confirmed_at__isnull=True)),
                name="confirmed_card_has_its_time",
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state=CardRequestState.SHOWN),
                name="one_unconfirmed_card_per_user",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.state}"
