"""
May this device be shared with this user, and must somebody look at it first? Pure.

Source: "How to share a security device", prerequisites a) to c) and notes a) and c); defaults where it is
silent: facts.md sections 5.2 and 12.
"""

from dataclasses import dataclass, field

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from portal.errors import Reason
from portal.identity import Identification, differences


class ShareRefusal(Reason):
    SAME_USER = (
        "same_user",
        _("This is your own username"),
        _("The device owner is another of your usernames, not the one you are logged in with."),
        _("Enter the username that the device belongs to."),
        "share-messages#same_user",
    )
    INVALID_CREDENTIALS = (
        "invalid_credentials",
        _("Invalid username password combination"),
        _("The username and password of the device owner do not match."),
        _("Check both and enter them again."),
        "share-messages#invalid_credentials",
    )
    TOO_MANY_ATTEMPTS = (
        "too_many_attempts",
        _("Too many attempts"),
        _("There were too many attempts that did not succeed."),
        _("Wait 24 hours after the last one, or contact Client Services."),
        "share-messages#too_many_attempts",
    )
    NO_SHAREABLE_DEVICE = (
        "no_shareable_device",
        _("Nothing to share"),
        _("That username has no active physical security device of its own."),
        _("Name the username that a DSC+ or a Security Code Card belongs to."),
        "share-messages#no_shareable_device",
    )
    BORROWED_DEVICE = (
        "borrowed_device",
        _("This device belongs to another username"),
        _("That username uses a shared device itself, and a shared device cannot be passed on."),
        _("Share the device from the username it belongs to."),
        "share-messages#borrowed_device",
    )
    LENT_DEVICE = (
        "lent_device",
        _("You share a device yourself"),
        _("Another username uses your device. Who lends a device cannot borrow one."),
        _("Cancel that sharing first."),
        "share-messages#lent_device",
    )
    ALREADY_SHARED = (
        "already_shared",
        _("You already use a shared device"),
        _("A username uses one shared device at a time."),
        _("Cancel the present sharing first if you want to share another device."),
        "share-messages#already_shared",
    )
    REQUEST_PENDING = (
        "request_pending",
        _("A request is waiting"),
        _("Your last sharing request waits for our Compliance department."),
        _("Wait until it is decided, or withdraw it."),
        "share-messages#request_pending",
    )
    TEMPORARY_DEVICE = (
        "temporary_device",
        _("Temporary device in use"),
        _(
            "A username that takes part has a Temporary Code or an Online Security Code Card. "
            "While it has one, no device can be shared."
        ),
        _("Replace the temporary device with a permanent one, then ask again."),
        "kb2481#temporary_device",
    )
    LESS_SECURE_DEVICE = (
        "less_secure_device",
        _("Less secure device"),
        _("One of the usernames that take part has a device with a higher level of protection."),
        _("Find the most secure device among them and share that one."),
        "kb2481#less_secure_device",
    )
    DIFFERENT_IDENTIFICATION = (
        "different_identification",
        _("Different identification information"),
        _(
            "The identification data of the two usernames do not match. Different persons or "
            "entities can never share a device, by design."
        ),
        _(
            "If both usernames are yours, a document on record may be outdated. Contact Client "
            "Services to have the data corrected."
        ),
        "kb2481#different_identification",
    )
    START_OVER = (
        "start_over",
        _("This request is no longer valid"),
        _("It was open for too long, was replaced by a newer one, or something has changed since."),
        _("Start the request again."),
        "share-messages#start_over",
    )
    LINK_OVER = (
        "link_over",
        _("This link is no longer valid"),
        _("It was used already, has expired, or what it was for has ended."),
        _("Log in and cancel the sharing there, or contact Client Services."),
        "share-messages#link_over",
    )
    WOULD_STRAND = (
        "would_strand",
        _("No device would be left"),
        _("Without the shared device, the username that uses it could no longer log in."),
        _("Give that username another device first, then cancel the sharing."),
        "share-messages#would_strand",
    )


class ReviewReason(TextChoices):
    """Why Compliance looks at a request before it is in force. Each is switched by `REVIEW_RULES`."""

    OTHER_ENTITY = "other_entity", _("The usernames belong to different entities")
    DOCUMENT_EXPIRED = "document_expired", _("An identification document has expired")
    COMPLIANCE_FLAG = "compliance_flag", _("An account carries a compliance flag")
    RECENTLY_REFUSED = "recently_refused", _("The same request was refused in the last 24 hours")


@dataclass(frozen=True)
class Party:
    """One of the two usernames, with what is known of the person behind it."""

    username: str
    entity: str
    identification: Identification
    document_has_expired: bool = False
    has_compliance_flag: bool = False


@dataclass(frozen=True)
class Facts:
    """
    Everything the rules look at. Levels are those of physical devices only; `strongest_level` is the
    highest among all participants: requester, owner, and whoever shares the device already.
    """

    requester: Party
    owner: Party
    device_is_lendable: bool
    device_level: int
    strongest_level: int
    holders_of_temporary: frozenset[str] = field(default_factory=frozenset)
    owner_borrows: bool = False
    requester_borrows: bool = False
    requester_lends: bool = False
    request_is_pending: bool = False
    was_recently_refused: bool = False


def refusals_of_requester(facts: Facts) -> list[ShareRefusal]:
    """What stands against the requester whatever he asks for; told at once, for it is about himself."""
    found = {
        ShareRefusal.REQUEST_PENDING: facts.request_is_pending,
        ShareRefusal.ALREADY_SHARED: facts.requester_borrows,
        ShareRefusal.LENT_DEVICE: facts.requester_lends,
    }
    return [refusal for refusal, holds in found.items() if holds]


def refusals(facts: Facts) -> list[ShareRefusal]:
    """Everything that stands against the share, the first to be told first; told only after proof."""
    found = {
        ShareRefusal.SAME_USER: facts.requester.username == facts.owner.username,
        ShareRefusal.BORROWED_DEVICE: facts.owner_borrows,
        ShareRefusal.NO_SHAREABLE_DEVICE: not facts.device_is_lendable,
        **dict.fromkeys(refusals_of_requester(facts), True),
        ShareRefusal.TEMPORARY_DEVICE: bool(facts.holders_of_temporary),
        ShareRefusal.LESS_SECURE_DEVICE: facts.device_level < facts.strongest_level,
        ShareRefusal.DIFFERENT_IDENTIFICATION: not is_same_person(facts.requester, facts.owner),
    }
    return [refusal for refusal, holds in found.items() if holds]


def is_same_person(a: Party, b: Party) -> bool:
    """Prerequisite a): the same entity, or different ones with the same identification data."""
    return a.entity == b.entity or not differences(a.identification, b.identification)


def review_reasons(facts: Facts, switched_on: frozenset[str]) -> list[ReviewReason]:
    """Why somebody must look first; empty means approved, processed and enforced at once."""
    parties = (facts.requester, facts.owner)
    found = {
        ReviewReason.OTHER_ENTITY: facts.requester.entity != facts.owner.entity,
        ReviewReason.DOCUMENT_EXPIRED: any(party.document_has_expired for party in parties),
        ReviewReason.COMPLIANCE_FLAG: any(party.has_compliance_flag for party in parties),
        ReviewReason.RECENTLY_REFUSED: facts.was_recently_refused,
    }
    return [reason for reason, holds in found.items() if holds and reason in switched_on]
