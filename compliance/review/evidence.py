"""
What an officer has before him: values only, masked where they are a person's numbers.

Stored with a decision as plain data (`as_data`) and read again with `Evidence.read`, so that it can be seen
in a year as it was. Words are added when it is shown; stored are codes.
"""

import datetime as dt
import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import TextChoices
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from sls.catalog import DeviceKind
from sls.models import DeviceState, GrantState, ShareState
from sls.review import ReviewReason
from sls.sharing.rules import RejectionReason, ShareRefusal

FIELD_LABELS = {
    "name": _("Name"),
    "kind": _("Account type"),
    "date_of_birth": _("Date of birth"),
    "citizenship": _("Citizenship"),
    "country_of_residence": _("Country of legal residence"),
    "document_type": _("Identification document type"),
    "document_number": _("Identification document number"),
    "social_security_number": _("Social Security Number"),
}
REASONS = {reason.code: reason for reason in [*ShareRefusal, *RejectionReason]}


class Outcome(TextChoices):
    EQUAL = "equal", _("Equal")
    DIFFERS = "differs", _("Different")
    MISSING = "missing", _("Not on record")


class AlertKind(TextChoices):
    """What else an officer should know of a party. `at` is None for what simply holds."""

    LOCKED = "locked", _("Locked by staff")
    DEACTIVATED = "deactivated", _("Deactivated")
    FLAGGED = "flagged", _("Carries a compliance flag")
    PASSWORD_RESET = "password_reset", _("A forgotten password was replaced")
    NUMBER_VERIFIED = "number_verified", _("A mobile number was verified")
    PHONE_ACTIVATED = "phone_activated", _("IB Key was activated on a phone")
    LOGIN_DENIED = "login_denied", _('A login was denied: "This was not me"')
    LOGIN_DISOWNED = "login_disowned", _('A login was disowned by link: "This was not me"')


def words(codes: Any, code: str) -> str:
    """The label of a choice; a code that no longer exists stays a bare code."""
    return str(codes(code).label) if code in codes.values else code


@dataclass(frozen=True)
class FieldPair:
    """One field of both persons. `is_compared`: the rules look at it; `is_masked`: there is more to see."""

    name: str
    requester: str
    owner: str
    outcome: str
    is_compared: bool
    is_masked: bool = False

    @property
    def label(self) -> str:
        return str(FIELD_LABELS.get(self.name, self.name))

    @property
    def outcome_label(self) -> str:
        return words(Outcome, self.outcome)


@dataclass(frozen=True)
class Document:
    """Until when a party's document is good; `days` from now on, negative when it has expired."""

    side: str
    username: str
    expires_on: dt.date | None
    days: int | None

    @property
    def has_expired(self) -> bool:
        return self.days is not None and self.days < 0


@dataclass(frozen=True)
class RuleResult:
    """A review rule and what was found at submission. `counts`: it was a reason to look at the request."""

    code: str
    found: int
    threshold: int
    holds: bool
    reviewers: int
    counts: bool

    @property
    def label(self) -> str:
        return words(ReviewReason, self.code)


@dataclass(frozen=True)
class Use:
    """Somebody who may, or might, answer with a device."""

    username: str
    is_borrowed: bool
    state: str
    since: dt.datetime
    last_used_at: dt.datetime | None
    ended_at: dt.datetime | None

    @property
    def state_label(self) -> str:
        return words(GrantState, self.state)


@dataclass(frozen=True)
class Device:
    kind: str
    serial: str
    state: str
    level: int
    created_at: dt.datetime
    uses: tuple[Use, ...] = ()

    @property
    def name(self) -> str:
        return words(DeviceKind, self.kind)

    @property
    def state_label(self) -> str:
        return words(DeviceState, self.state)


@dataclass(frozen=True)
class EarlierShare:
    id: str
    requester: str
    owner: str
    device: str
    state: str
    reasons: tuple[str, ...]
    decision_reason: str
    created_at: dt.datetime
    ended_at: dt.datetime | None

    @property
    def state_label(self) -> str:
        return words(ShareState, self.state)

    @property
    def reason_labels(self) -> list[str]:
        codes = [*self.reasons, *([self.decision_reason] if self.decision_reason else [])]
        return [
            str(REASONS[code].title) if code in REASONS else words(ReviewReason, code)
            for code in codes
        ]


@dataclass(frozen=True)
class Alert:
    code: str
    username: str
    at: dt.datetime | None

    @property
    def label(self) -> str:
        return words(AlertKind, self.code)


@dataclass(frozen=True)
class Evidence:
    """
    Everything about one request. `obstacles` are codes of `ShareRefusal` that stand against an approval
    now; `note` is what the client wrote. `facts` are the unmasked facts, spelt for the digest; they are
    never stored, shown or logged.
    """

    fields: tuple[FieldPair, ...]
    documents: tuple[Document, ...]
    rules: tuple[RuleResult, ...]
    policy_version: int
    device: Device
    devices: tuple[Device, ...]
    earlier: tuple[EarlierShare, ...]
    alerts: tuple[Alert, ...]
    obstacles: tuple[str, ...]
    note: str
    facts: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the unmasked facts in a fixed spelling: their version."""
        spelt = json.dumps(self.facts, sort_keys=True, ensure_ascii=False, cls=DjangoJSONEncoder)
        return hashlib.sha256(spelt.encode()).hexdigest()

    @property
    def obstacle_reasons(self) -> list[Any]:
        """The refusals with their words."""
        return [REASONS[code] for code in self.obstacles if code in REASONS]

    def as_data(self) -> dict[str, Any]:
        """As JSON, masked as it was shown."""
        shown = {name: value for name, value in asdict(self).items() if name != "facts"}
        data: dict[str, Any] = json.loads(json.dumps(shown, cls=DjangoJSONEncoder))
        return data

    @classmethod
    def read(cls, data: dict[str, Any]) -> Self:
        """The evidence that `as_data` wrote; it has no facts, so its digest is the stored one."""
        return cls(
            fields=tuple(FieldPair(**row) for row in data["fields"]),
            documents=tuple(
                Document(**row | {"expires_on": _date(row["expires_on"])})
                for row in data["documents"]
            ),
            rules=tuple(RuleResult(**row) for row in data["rules"]),
            policy_version=data["policy_version"],
            device=_device(data["device"]),
            devices=tuple(_device(row) for row in data["devices"]),
            earlier=tuple(
                EarlierShare(
                    **_timed(row, "created_at", "ended_at") | {"reasons": tuple(row["reasons"])}
                )
                for row in data["earlier"]
            ),
            alerts=tuple(Alert(**_timed(row, "at")) for row in data["alerts"]),
            obstacles=tuple(data["obstacles"]),
            note=data["note"],
        )


def _device(row: dict[str, Any]) -> Device:
    uses = tuple(Use(**_timed(use, "since", "last_used_at", "ended_at")) for use in row["uses"])
    return Device(**_timed(row, "created_at") | {"uses": uses})


def _timed(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: parse_datetime(row[name]) if row[name] else None for name in names}


def _date(text: str | None) -> dt.date | None:
    return parse_date(text) if text else None
