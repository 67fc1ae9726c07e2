"""Users with devices and shares, made in bulk, and the hands that hold their devices."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from django.contrib.auth.hashers import make_password

from portal.hashers import Cheap, OneLaneArgon2
from portal.models import Entity, User
from sls import codecard, oath
from sls.catalog import DSC_PLUS_SUITE, DeviceKind
from sls.devices import making
from sls.models import (
    Challenge,
    ChallengeState,
    DeviceGrant,
    GrantState,
    Purpose,
    SecurityDevice,
    ShareRequest,
    ShareState,
)

PASSWORD = "a-password-of-the-benchmarks"
PIN = "4826"
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """What a client knows and holds; without a database, so that it can go to another process."""

    username: str
    key: bytes = b""
    cells: tuple[str, ...] = ()

    def answer(self, question: str) -> str:
        if self.cells:
            return codecard.expected(list(self.cells), question)
        digits = "".join(question.split())
        return oath.ocra(DSC_PLUS_SUITE, self.key, digits, pin=PIN)


@dataclass(frozen=True)
class Pair:
    requester: Person  # with a code card
    owner: Person  # with a DSC+


def hashed(*, cheap: bool = True) -> str:
    return make_password(PASSWORD, hasher=Cheap() if cheap else OneLaneArgon2())


def entities(count: int) -> list[Entity]:
    """Persons with full identification data; the numbers stay empty, so that nobody matches by them."""
    made = [
        Entity(
            name=f"Person {number}",
            date_of_birth=date(1979, 3, 14),
            citizenship="NZ",
            country_of_residence="NZ",
            document_type="passport",
            document_expires_on=date(2090, 1, 1),
        )
        for number in range(count)
    ]
    for entity in made:
        entity.set_number("document_number", secrets.token_hex(6))
    return Entity.objects.bulk_create(made, batch_size=5000)


def users(names: Sequence[str], owners: Sequence[Entity], password: str) -> list[User]:
    return User.objects.bulk_create(
        [
            User(username=name, entity=entity, email=f"{name}@example.com", password=password)
            for name, entity in zip(names, owners, strict=True)
        ],
        batch_size=5000,
    )


def own(user: User, device: SecurityDevice, share: ShareRequest | None = None) -> DeviceGrant:
    return DeviceGrant(
        user=user,
        device=device,
        share=share,
        name=str(DeviceKind(device.kind).label),
        state=GrantState.ACTIVE,
        confirmed=True,
        granted_at=NOW,
    )


def dsc(key: bytes) -> SecurityDevice:
    serial = f"DSC-{secrets.token_hex(6).upper()}"
    return making.new_dsc_plus(serial=serial, key=key, pin=PIN, now=NOW)


def holders(prefix: str, count: int, *, cheap: bool = True) -> list[Person]:
    """Users with one DSC+ each."""
    names = [f"{prefix}-{number}" for number in range(count)]
    made = users(names, entities(count), hashed(cheap=cheap))
    keys = [secrets.token_bytes(32) for _ in made]
    things = SecurityDevice.objects.bulk_create([dsc(key) for key in keys])
    DeviceGrant.objects.bulk_create([own(u, d) for u, d in zip(made, things, strict=True)])
    return [Person(name, key) for name, key in zip(names, keys, strict=True)]


def newcomer(name: str) -> Person:
    """A user without any device."""
    users([name], entities(1), hashed())
    return Person(name)


def pairs(prefix: str, count: int, *, cheap: bool = True) -> list[Pair]:
    """Pairs of usernames of one entity, ready for the share wizard."""
    made = []
    for owner, entity_user in _with_users(holders(f"{prefix}-owner", count, cheap=cheap)):
        name = owner.username.replace("owner", "requester")
        user = users([name], [entity_user.entity], entity_user.password)[0]
        cells = codecard.new_cells()
        serial = f"SCC-{secrets.token_hex(6).upper()}"
        card = making.new_code_card(serial=serial, now=NOW, cells=cells)
        card.save(force_insert=True)
        own(user, card).save()
        made.append(Pair(Person(name, cells=tuple(cells)), owner))
    return made


def _with_users(people: Sequence[Person]) -> list[tuple[Person, User]]:
    names = [person.username for person in people]
    by_name = {
        u.username: u for u in User.objects.select_related("entity").filter(username__in=names)
    }
    return [(person, by_name[person.username]) for person in people]


def lender(name: str, count: int) -> Person:
    """A user with `count` devices of his own, each shared with another username of his."""
    entity = entities(1)[0]
    user = users([name], [entity], hashed())[0]
    names = [f"{name}-shares-{number:02}" for number in range(count)]
    borrowers = users(names, [entity] * count, hashed())
    key = secrets.token_bytes(32)
    things = SecurityDevice.objects.bulk_create([dsc(key) for _ in range(count)])
    DeviceGrant.objects.bulk_create(own(user, device) for device in things)
    lend(user, things, borrowers)
    return Person(name, key)


def lend(owner: User, things: Sequence[SecurityDevice], borrowers: Sequence[User]) -> None:
    """Each of the owner's `things` to one of the `borrowers`, in force."""
    lend_many([(owner, device, user) for device, user in zip(things, borrowers, strict=True)])


def lend_many(loans: Sequence[tuple[User, SecurityDevice, User]]) -> None:
    challenges = Challenge.objects.bulk_create(
        [
            Challenge(
                user=user,
                device=device,
                purpose=Purpose.SHARE,
                question=f"{number % 10**6:06}",
                state=ChallengeState.ANSWERED,
                issued_at=NOW,
                expires_at=NOW,
                answered_at=NOW,
            )
            for number, (_owner, device, user) in enumerate(loans)
        ],
        batch_size=5000,
    )
    shares = ShareRequest.objects.bulk_create(
        [
            ShareRequest(
                requester=user,
                owner=owner,
                device=device,
                challenge=challenge,
                state=ShareState.ENFORCED,
                created_at=NOW,
                expires_at=NOW,
                proven_at=NOW,
                submitted_at=NOW,
                approved_at=NOW,
                enforced_at=NOW,
            )
            for (owner, device, user), challenge in zip(loans, challenges, strict=True)
        ],
        batch_size=5000,
    )
    DeviceGrant.objects.bulk_create(
        [own(s.requester, s.device, s) for s in shares], batch_size=5000
    )


def officer(name: str) -> Person:
    """A member of staff who may look at everything, with a DSC+."""
    person = holders(name, 1)[0]
    User.objects.filter(username=person.username).update(is_staff=True, is_superuser=True)
    return person
