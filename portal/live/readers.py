"""
Which row a waiting browser waits for. Upper floors tell it by name when their app is ready:

    readers.watch("login", lambda key: not LoginAttempt.objects.filter(pk=key, state=PENDING).exists())

A topic is that name and the row's key: "login:7c0e…". Its reader is asked very often, by a thread without a
request: one query by primary key, no more. It returns whether there is something to look at.
"""

import re
from collections.abc import Callable

Reader = Callable[[str], bool]

KIND = re.compile(r"[a-z_]{1,20}")

_readers: dict[str, Reader] = {}


def watch(kind: str, reader: Reader) -> None:
    """Let browsers wait for rows of this kind."""
    assert KIND.fullmatch(kind), kind
    assert _readers.setdefault(kind, reader) is reader, f"{kind} is watched by two"


def reader_of(kind: str) -> Reader | None:
    return _readers.get(kind)
