"""The append-only record of every decision: written (`chain`), anchored outside, verified, read, exported."""

from .chain import (
    GENESIS,
    content_hash,
    record,
    record_refusal,
    refusals,
    viewed,
)
from .verification import broken_rows

__all__ = [
    "GENESIS",
    "broken_rows",
    "content_hash",
    "record",
    "record_refusal",
    "refusals",
    "viewed",
]
