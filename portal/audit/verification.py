"""Does the chain hold, and does it still end where it was anchored?"""

from collections.abc import Iterator, Mapping

from django.db.models import QuerySet

from portal.models import AuditEvent

from .chain import COLUMNS, GENESIS, hash_of

BATCH = 5000
Link = tuple[int, str]  # number and hash of a row
START: Link = (0, GENESIS)


def in_batches(
    rows: "QuerySet[AuditEvent]", *, after: int = 0, up_to: int | None = None
) -> Iterator[tuple[object, ...]]:
    """
    The rows by number as tuples of `COLUMNS` and the hash. One short query after the other by primary key,
    so that neither this process nor the database ever holds more than a batch.
    """
    if up_to is not None:
        rows = rows.filter(number__lte=up_to)
    tuples = rows.order_by("number").values_list(*COLUMNS, "hash")
    while batch := list(tuples.filter(number__gt=after)[:BATCH]):
        yield from batch
        after = batch[-1][0]


class Walk:
    """
    A walk along the chain from the row `after` on, past `anchors` (hashes by row number). Afterwards `number`
    is where it ended and `agreed` how many anchors stood at their rows.
    """

    def __init__(self, *, after: Link = START, anchors: Mapping[int, str] | None = None) -> None:
        self.number, self.hash = after
        self.started_at = self.number
        self.anchors = anchors or {}
        self.agreed = 0

    @property
    def rows(self) -> int:
        """How many rows there should be between the start and where the walk has got."""
        return self.number - self.started_at

    def broken(self) -> Iterator[tuple[int, str]]:
        """Each row where the chain does not hold, as its number and what is wrong."""
        for *content, stored in in_batches(AuditEvent.objects.all(), after=self.number):
            number: int = content[0]  # type: ignore[assignment]
            if number != self.number + 1:
                yield number, f"rows {self.number + 1} to {number - 1} are missing"
            elif content[-1] != self.hash:
                yield number, "does not follow the row before it"
            if content[1] is None or stored != hash_of(content):
                yield number, "was altered"
            if number in self.anchors:
                if self.anchors[number] == stored:
                    self.agreed += 1
                else:
                    yield number, "is not the row that was anchored"
            self.number, self.hash = number, str(stored)
        newest = max(self.anchors, default=0)
        if newest > self.number:
            yield self.number + 1, f"rows {self.number + 1} to {newest} are cut off"


def broken_rows(
    *, after: Link = START, anchors: Mapping[int, str] | None = None
) -> Iterator[tuple[int, str]]:
    """Each row where the chain does not hold, as its number and what is wrong."""
    return Walk(after=after, anchors=anchors).broken()


def link_before(number: int) -> Link:
    """
    Where a walk that begins with the row `number` starts; when the row before it is missing, at the first.
    """
    before = AuditEvent.objects.filter(number=number - 1).values_list("number", "hash").first()
    return before or START
