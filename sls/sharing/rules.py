"""
May this device be shared with this user, and must somebody look at it first? Pure.

Source: "How to share a security device", prerequisites a) to c) and notes a) and c); defaults where it is
silent: facts.md sections 5.2 and 12.
"""

from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from portal.errors import Reason
from portal.identity import Identification, differences
from sls.review import AS_SHIPPED, Policy, ReviewReason

NOTE_LENGTH = 500  # characters a client may write to Compliance


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
    PROOF_OVER = (
        "proof_over",
        _("The proof no longer stands"),
        _(
            "Since the request a username was locked or deactivated, or the password of the device "
            "owner was changed."
        ),
        _("It can be approved only when this is mended; otherwise it is rejected."),
        "share-messages#proof_over",
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


class RejectionReason(Reason):
    """Why Compliance rejects a request, in the words its two parties are told."""

    IDENTITY_UNCLEAR = (
        "identity_unclear",
        _("We could not confirm that both usernames are yours"),
        _("What we have on record about the two usernames did not let us confirm one person."),
        _("Contact Client Services to have your data confirmed, then ask again."),
        "share-messages#identity_unclear",
    )
    DOCUMENT_OUTDATED = (
        "document_outdated",
        _("An identification document is out of date"),
        _("A document on record for one of the usernames has expired or has been replaced."),
        _("Send the current document to Client Services, then ask again."),
        "share-messages#document_outdated",
    )
    ACCOUNT_RESTRICTED = (
        "account_restricted",
        _("An account is restricted at present"),
        _("While our review of one of the accounts is open, its devices cannot be shared."),
        _("Wait until Client Services has told you that the review is closed, then ask again."),
        "share-messages#account_restricted",
    )
    NOT_CONFIRMED = (
        "not_confirmed",
        _("The request was not confirmed"),
        _("We could not reach you, or you told us that you did not ask for this."),
        _("If it was you, contact Client Services and ask again; if not, change both passwords."),
        "share-messages#not_confirmed",
    )
    NO_LONGER_POSSIBLE = (
        "no_longer_possible",
        _("The request is no longer possible"),
        _("Since you asked, a device, a password or the data on record has changed."),
        _("Look at your devices and ask again."),
        "share-messages#no_longer_possible",
    )


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
    new_shares: int = 0  # of this device, of late
    has_recent_change: bool = False
    entities_of_device: int = 1
    policy: Policy = AS_SHIPPED


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


def findings(facts: Facts) -> dict[str, int]:
    """What a review policy looks at, by reason."""
    parties = (facts.requester, facts.owner)
    held = {
        ReviewReason.OTHER_ENTITY: facts.requester.entity != facts.owner.entity,
        ReviewReason.DOCUMENT_EXPIRED: any(party.document_has_expired for party in parties),
        ReviewReason.COMPLIANCE_FLAG: any(party.has_compliance_flag for party in parties),
        ReviewReason.RECENTLY_REFUSED: facts.was_recently_refused,
    }
    counted = {
        ReviewReason.NEW_SHARES: facts.new_shares,
        ReviewReason.RECENT_CHANGE: int(facts.has_recent_change),
        ReviewReason.SEVERAL_ENTITIES: facts.entities_of_device,
    }
    return {str(reason): int(number) for reason, number in {**held, **counted}.items()}
