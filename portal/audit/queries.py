"""The auditor's reading of the chain: filters, pages by number, and how the chain was last found."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from portal import events
from portal.models import AuditEvent

from . import anchors, chain
from .anchors import Anchor

PAGE = 50


@dataclass(frozen=True)
class Filters:
    """`since` inclusive, `until` exclusive; an empty value asks for nothing."""

    since: datetime | None = None
    until: datetime | None = None
    event: str = ""
    actor: str = ""
    subject: str = ""
    request_id: str = ""

    def rows(self) -> "QuerySet[AuditEvent]":
        names = {"since": "at__gte", "until": "at__lt"}
        wanted = {names.get(name, name): value for name, value in self._given().items()}
        return AuditEvent.objects.filter(**wanted)

    def as_facts(self) -> dict[str, str]:
        """For the record of an export."""
        return {
            name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
            for name, value in self._given().items()
        }

    def _given(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}


@dataclass(frozen=True)
class Page:
    """Rows, newest first; `newer` and `older` are the numbers to go on from, None at the ends."""

    rows: list[AuditEvent]
    newer: int | None
    older: int | None


def page(wanted: Filters, *, before: int | None = None, after: int | None = None) -> Page:
    """The rows before (older than) or after the number, or the newest ones. One query, no count."""
    rows = wanted.rows()
    if after is not None:
        found = list(rows.filter(number__gt=after).order_by("number")[: PAGE + 1])
        shown = found[:PAGE][::-1]
        has_newer, has_older = len(found) > PAGE, True
    else:
        if before is not None:
            rows = rows.filter(number__lt=before)
        found = list(rows.order_by("-number")[: PAGE + 1])
        shown = found[:PAGE]
        has_newer, has_older = before is not None, len(found) > PAGE
    newer = shown[0].number if shown and has_newer else None
    older = shown[-1].number if shown and has_older else None
    return Page(shown, newer, older)


@dataclass(frozen=True)
class Standing:
    """How a row stands in the chain."""

    row: AuditEvent
    is_as_written: bool
    follows: bool  # the row before it, or nothing when it is the first
    is_followed: bool | None  # by the row after it; None for the newest


def standing(row: AuditEvent) -> Standing:
    beside = AuditEvent.objects.filter(number__in=(row.number - 1, row.number + 1))
    links = {
        number: (was, now)
        for number, was, now in beside.values_list("number", "previous_hash", "hash")
    }
    before = links[row.number - 1][1] if row.number - 1 in links else None
    if row.number == 1:
        before = chain.GENESIS
    after = links[row.number + 1][0] if row.number + 1 in links else None
    return Standing(
        row=row,
        is_as_written=row.hash == chain.content_hash(row),
        follows=row.previous_hash == before,
        is_followed=None if after is None else after == row.hash,
    )


@dataclass(frozen=True)
class State:
    """
    How the chain was found last, and where it is anchored: `anchor_holds` is None without an anchor here.
    """

    verified: AuditEvent | None
    anchor: Anchor | None
    anchor_holds: bool | None


def state() -> State:
    """Two queries at most, whatever the size of the chain."""
    rows = AuditEvent.objects.filter(event=events.AUDIT_VERIFIED)
    verified = rows.order_by("-number").first()
    anchor = anchors.newest()
    holds = None
    if anchor:
        anchored = AuditEvent.objects.filter(number=anchor.number, hash=anchor.hash)
        holds = anchor.is_genuine() is not False and anchored.exists()
    return State(verified, anchor, holds)
