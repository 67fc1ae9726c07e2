"""What a check found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Finding:
    """
    `what` was looked at; empty `why` means that it is well. Something that is only `advised` does not make
    the examination fail.
    """

    what: str
    why: str = ""
    fix: str = ""
    advised: bool = False

    @property
    def is_well(self) -> bool:
        return not self.why

    @property
    def fails(self) -> bool:
        return bool(self.why) and not self.advised


Check = Callable[[datetime], Iterator[Finding]]
