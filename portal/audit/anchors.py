"""
Anchors: number and hash of the newest row, written outside the database once a minute while the chain grows.

An anchor is one line of JSON in the file of `AUDIT_ANCHOR`, and the same line in syslog where that is set.
Its `mac` is made with a key of the vault, so lines are not forged without it; `previous` is the SHA-256 of
the line before, so none is taken out or put in, and a line under a key that is gone counts as long as a later
line leads back to it. `series` names the file's beginning, as several machines may write to one syslog. A row
that was cut off, or a database brought back from yesterday, ends before its anchor or has another hash there.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from portal import vault
from portal.models import AuditEvent

from . import chain, syslog

PURPOSE = "audit anchor"
NOTHING_BEFORE = "0" * 64
NEAR_THE_END = 4096  # bytes, more than the longest line


class AnchorError(Exception):
    """No anchor is written, because something is wrong with the chain or with the anchors there are."""

    @property
    def cure(self) -> str:
        return (
            "If the database was restored or made anew on purpose, write down why and move "
            f'{places()[0]} away: docs/audit.md, "After a restore". If not, rows were removed or altered: '
            "stop, and keep copies of the database and of that file."
        )


@dataclass(frozen=True)
class Anchor:
    series: str
    line: int
    number: int
    hash: str
    at: str
    previous: str
    mac: str = ""

    @property
    def text(self) -> str:
        """The line itself."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def made_mac(self, key_id: str = "") -> str:
        """What `mac` must be under a known key. Raises KeyError for an unknown one."""
        content = [self.series, self.line, self.number, self.hash, self.at, self.previous]
        return vault.index(json.dumps(content), purpose=PURPOSE, key_id=key_id)

    def is_genuine(self) -> bool | None:
        """Whether `mac` is right; None when it is of a key that is not known any more."""
        try:
            made = self.made_mac(self.mac.partition(":")[0])
        except KeyError:
            return None
        return hmac.compare_digest(made.encode(), self.mac.encode())


@dataclass
class Reading:
    """What the lines of an anchor file say: `hashes` by row number, of sound anchors only."""

    hashes: dict[int, str] = field(default_factory=dict)
    newest: Anchor | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def places() -> tuple[Path, list[str]]:
    """The file, and the syslog addresses, of the setting."""
    addresses = [place for place in settings.AUDIT_ANCHOR if syslog.is_address(place)]
    paths = [place for place in settings.AUDIT_ANCHOR if place not in addresses]
    return Path(paths[0] if paths else settings.VAR_DIR / "audit-anchors.jsonl"), addresses


def write(*, now: datetime) -> Anchor | None:
    """
    Anchor the newest row; None when it is anchored already. Raises AnchorError when the chain does not go on
    from the last anchor, OSError when the file or the syslog cannot be written. Takes no lock of the chain.
    """
    path, addresses = places()
    with _locked(path) as file:
        last, is_torn = _last_of(file)
        number, tail_hash = chain.tail()
        if last:
            _must_go_on_from(last, number)
        if number == (last.number if last else 0):
            return None
        made = _next(last, number, tail_hash, now)
        for address in addresses:  # first, so that a line that did not get there is made again
            syslog.send(address, made.text)
        os.write(file, ("\n" * is_torn + made.text + "\n").encode())
        os.fsync(file)
        return made


def newest() -> Anchor | None:
    """The last anchor in the file of this machine, if there is one."""
    try:
        return _last_here()
    except AnchorError:
        return None


def check() -> None:
    """Raises AnchorError when the chain does not go on from the last anchor of this machine."""
    if last := _last_here():
        _must_go_on_from(last, chain.tail()[0])


def set_aside_for_an_empty_demo() -> Path | None:
    """
    Move the anchors of a demo's database that was thrown away to another name, and return it. Never outside
    the demo, and never while there is a row: elsewhere a person decides that.
    """
    path = places()[0]
    if not settings.DEMO_MODE or not path.exists() or AuditEvent.objects.exists():
        return None
    kept = path.with_name(f"{path.name}.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    path.rename(kept)
    return kept


def of_this_machine() -> Reading:
    """What the file of this machine says; nothing when there is none yet."""
    try:
        with places()[0].open(encoding="utf-8", errors="replace") as lines:
            return read(lines)
    except FileNotFoundError:
        return Reading()


def _last_here() -> Anchor | None:
    """Raises AnchorError for a file that does not end with an anchor."""
    try:
        file = os.open(places()[0], os.O_RDONLY)
    except OSError:
        return None
    try:
        return _last_of(file)[0]
    finally:
        os.close(file)


def _must_go_on_from(last: Anchor, tail: int) -> None:
    if last.is_genuine() is False:
        raise AnchorError(f"line {last.line} of the anchors is forged")
    if tail < last.number:
        raise AnchorError(
            f"rows {tail + 1} to {last.number} are cut off: {last.at} they were there"
        )
    if not AuditEvent.objects.filter(number=last.number, hash=last.hash).exists():
        raise AnchorError(f"row {last.number} is not the row that was anchored {last.at}")


def _next(last: Anchor | None, number: int, tail_hash: str, now: datetime) -> Anchor:
    content = {
        "series": last.series if last else secrets.token_hex(4),
        "line": last.line + 1 if last else 1,
        "number": number,
        "hash": tail_hash,
        "at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "previous": last.digest if last else NOTHING_BEFORE,
    }
    return Anchor(**content, mac=Anchor(**content).made_mac())  # type: ignore[arg-type]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        os.close(file)


def _last_of(file: int) -> tuple[Anchor | None, bool]:
    """The last whole line, and whether a torn one follows (a write that a power cut ended)."""
    size = os.fstat(file).st_size
    end = os.pread(file, NEAR_THE_END, max(0, size - NEAR_THE_END)).decode(errors="replace")
    found = [anchor for anchor in map(_parsed, end.splitlines()) if anchor]
    if size and not found:
        raise AnchorError("the file of anchors does not end with an anchor")
    return (found[-1] if found else None), bool(size) and not end.endswith("\n")


def _parsed(line: str) -> Anchor | None:
    """The anchor in a line, behind whatever syslog put before it."""
    try:
        values = json.loads(line[line.index("{") :])
        anchor = Anchor(**values)
        types = {name: type(value) for name, value in values.items()}
    except (ValueError, TypeError):
        return None
    numbers = {"line", "number"}
    is_whole = all(kind is (int if name in numbers else str) for name, kind in types.items())
    return anchor if is_whole and anchor.mac else None


def read(lines: Iterable[str]) -> Reading:
    """
    Judge the lines of an anchor file or of a syslog that holds anchors among other things. What is wrong with
    them is a problem; what only makes them say less is a note.
    """
    reading = Reading()
    series: dict[str, _Series] = {}
    for line in lines:
        if anchor := _parsed(line):
            series.setdefault(anchor.series, _Series(reading)).take(anchor)
        elif '"mac"' in line or '"series"' in line:
            reading.notes.append(f"a line is no whole anchor: {line.strip()[:60]}")
    for one in series.values():
        one.give_up_waiting()
    return reading


class _Series:
    """The lines of one file, each following the one before."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.last: Anchor | None = None
        self.waiting: list[Anchor] = []  # of an unknown key, until a later line vouches for them

    def take(self, anchor: Anchor) -> None:
        if anchor == self.last:
            return  # syslog may repeat itself
        genuine = anchor.is_genuine()
        if genuine is False:
            self.reading.problems.append(f"line {anchor.line} of the anchors is forged")
            return
        if wrong := self._wrong_with(anchor):
            self.reading.problems.append(wrong)
            self.give_up_waiting()
        self.last = anchor
        self.waiting.append(anchor)
        if genuine:
            for sound in self.waiting:
                _keep(sound, self.reading)
            self.waiting.clear()

    def give_up_waiting(self) -> None:
        for anchor in self.waiting:
            words = f"line {anchor.line} of the anchors is of a key that is not known"
            self.reading.problems.append(words)
        self.waiting.clear()

    def _wrong_with(self, anchor: Anchor) -> str:
        if self.last is None:
            if anchor.line != 1:
                self.reading.notes.append(f"the anchors begin with line {anchor.line}")
            return ""
        expected = self.last.line + 1
        if anchor.line > expected:
            return f"lines {expected} to {anchor.line - 1} of the anchors are missing"
        if anchor.line < expected or anchor.previous != self.last.digest:
            return f"line {anchor.line} of the anchors does not follow the line before it"
        return ""


def _keep(anchor: Anchor, reading: Reading) -> None:
    known = reading.hashes.setdefault(anchor.number, anchor.hash)
    if known != anchor.hash:
        reading.problems.append(f"two anchors of row {anchor.number} differ")
    if reading.newest is None or anchor.number > reading.newest.number:
        reading.newest = anchor
