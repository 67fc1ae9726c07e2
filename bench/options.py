"""How long and how often."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    seconds: float = 3
    rounds: int = 3
