"""Who is who: the natural person or organisation, and the usernames behind which it stands."""

import re
import unicodedata
import uuid
from collections.abc import Callable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from portal import vault
from portal.identity import Identification, differences, normalise_number

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{2,39}")


def normalise_username(typed: str) -> str:
    """
    The one spelling of a typed username: compatibility forms composed, case folded, outer blanks and
    invisible characters gone. What still is no username afterwards matches nobody.
    """
    folded = unicodedata.normalize("NFKC", typed[:200]).casefold()
    return "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc")).strip()


def validate_username(value: str) -> None:
    if USERNAME.fullmatch(value) is None:
        raise ValidationError(
            _("Use 3 to 40 lower-case letters, digits, dots, hyphens and underscores."),
            code="invalid_username",
        )


class DocumentType(models.TextChoices):
    PASSPORT = "passport", _("Passport")
    NATIONAL_ID = "national_id", _("National identity card")
    DRIVING_LICENCE = "driving_licence", _("Driving licence")
    REGISTRATION = "registration", _("Certificate of registration")


class Entity(models.Model):
    """The natural person or organisation behind one or more usernames."""

    class Kind(models.TextChoices):
        INDIVIDUAL = "individual", _("Individual")
        ORGANISATION = "organisation", _("Organisation")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.INDIVIDUAL)
    date_of_birth = models.DateField(_("date of birth"), null=True, blank=True)
    citizenship = models.CharField(_("citizenship"), max_length=2, blank=True)
    country_of_residence = models.CharField(
        _("country of legal residence"), max_length=2, blank=True
    )
    document_type = models.CharField(
        _("identification document type"), max_length=20, choices=DocumentType, blank=True
    )
    document_number_sealed = vault.SealedField(blank=True, editable=False)
    document_number_index = models.CharField(
        max_length=80, blank=True, editable=False, db_index=True
    )
    document_expires_on = models.DateField(_("document expires on"), null=True, blank=True)
    ssn_sealed = vault.SealedField(blank=True, editable=False)
    ssn_index = models.CharField(max_length=80, blank=True, editable=False, db_index=True)
    compliance_flag = models.BooleanField(_("compliance flag"), default=False)

    class Meta:
        verbose_name = _("entity")
        verbose_name_plural = _("entities")

    def __str__(self) -> str:
        return self.name

    def set_number(self, name: str, typed: str) -> None:
        """Seal and index the number `name` ("document_number" or "ssn") as typed."""
        number = normalise_number(typed)
        vault.sealed_field(self, f"{name}_sealed").seal_into(self, number)
        setattr(self, f"{name}_index", vault.index(number, purpose=name))

    def open_number(self, name: str) -> str:
        """The number itself, to compare a new PIN with; never for a page, a log or a message."""
        return vault.sealed_field(self, f"{name}_sealed").open_from(self)

    def number_index(self, name: str) -> str:
        """The index under the newest key; computed anew when the row still has an older one."""
        stored: str = getattr(self, f"{name}_index")
        if stored and not stored.startswith(f"{vault.newest_key_id()}:"):
            plain = vault.sealed_field(self, f"{name}_sealed").open_from(self)
            return vault.index(plain, purpose=name)
        return stored

    def identification(self) -> Identification:
        return Identification(
            date_of_birth=self.date_of_birth,
            citizenship=self.citizenship.strip().upper(),
            country_of_residence=self.country_of_residence.strip().upper(),
            document_type=self.document_type.strip(),
            document_number=self.number_index("document_number"),
            social_security_number=self.number_index("ssn"),
        )

    def may_be_same_person_as(self, other: "Entity") -> bool:
        """
        Whether nobody should act for the one by the right of the other (R12). Wider than what a share takes: there
        one field that differs means two persons, here one document, or name and day of birth, means one.
        """
        if self.pk == other.pk or not differences(self.identification(), other.identification()):
            return True
        return any(
            mine and mine == theirs
            for mine, theirs in zip(self._marks(), other._marks(), strict=True)
        )

    def _marks(self) -> tuple[object, ...]:
        """What two persons hardly share."""
        name = " ".join(unicodedata.normalize("NFKC", self.name).casefold().split())
        born = (name, self.date_of_birth) if name and self.date_of_birth else None
        return self.number_index("document_number"), self.number_index("ssn"), born


class PhoneNumber(models.Model):
    """A mobile number on record for a person, in E.164 form."""

    entity = models.ForeignKey(Entity, models.CASCADE, related_name="phone_numbers")
    e164 = models.CharField(_("number"), max_length=16)
    is_default = models.BooleanField(_("default"), default=False)
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)

    class Meta:
        verbose_name = _("phone number")
        verbose_name_plural = _("phone numbers")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["entity", "e164"], name="one_row_per_number"),
            models.UniqueConstraint(
                fields=["entity"], condition=Q(is_default=True), name="one_default_number"
            ),
        ]

    def __str__(self) -> str:
        return f"…{self.e164[-3:]}"


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username=normalise_username(username or ""))

    def create_user(self, username: str, password: str, entity: Entity, **fields: Any) -> "User":
        user = self.model(username=normalise_username(username), entity=entity, **fields)
        user.set_password(password)
        user.full_clean()
        user.save()
        return user

    def locked(self) -> QuerySet["User"]:
        """
        For what must not be decided twice about a user: the rows are locked until the transaction ends, and
        before anything else, or two requests lock their other rows in different orders.
        """
        return self.select_for_update(of=("self",), no_key=True)


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]
    """A username. One person may stand behind several, in one Entity or in several."""

    last_login = None  # every login is an audit row; see sls.login

    # What django-otp's middleware adds to the user of a request.
    is_verified: Callable[[], bool]
    otp_device: Any

    username = models.CharField(
        _("username"), max_length=40, unique=True, validators=[validate_username]
    )
    entity = models.ForeignKey(
        Entity, models.PROTECT, related_name="users", verbose_name=_("entity")
    )
    email = models.EmailField(_("email address"))
    language = models.CharField(
        _("language"), max_length=10, choices=settings.LANGUAGES, default="en"
    )
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("staff"), default=False)
    # Set and cleared by staff (portal.accounts): no login, no session, until it is cleared.
    locked_at = models.DateTimeField(_("locked at"), null=True, blank=True, editable=False)
    # Raised to forget every browser that carries a mark of this username.
    browser_epoch = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["email"]

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        permissions: ClassVar = [("lock_user", _("Can lock and unlock a user"))]
        indexes: ClassVar = [
            models.Index(
                fields=["locked_at"], condition=Q(locked_at__isnull=False), name="locked_users"
            )
        ]

    def get_full_name(self) -> str:
        return self.entity.name
