"""
JSON bodies, read strictly: what is not exactly as documented is refused before anything looks at it.

Threat: two parsers that understand one text differently (doubled keys, numbers beyond a float), and texts that
cost more to read than to send (deep nesting, long digits).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from .rules import from_base64url

LONGEST_BODY = 16 * 1024
LONGEST_DIGITS = 15


class Malformed(Exception):
    """Not a body as documented. The message names a field, never a value."""


@dataclass(frozen=True)
class Text:
    longest: int
    shortest: int = 1
    pattern: str = ""
    default: str | None = None


@dataclass(frozen=True)
class Base64:
    """Bytes as base64url without padding, of exactly `size`."""

    size: int
    default: bytes | None = None


@dataclass(frozen=True)
class Flag:
    default: bool | None = None


@dataclass(frozen=True)
class Nested:
    """An object that somebody else reads: a WebAuthn credential, a push subscription."""

    default: str | None = None


Field = Text | Base64 | Flag | Nested


def read(raw: bytes, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The fields of a body; a nested object as its JSON text. Raises Malformed."""
    given = parse(raw)
    if unknown := set(given) - set(fields):
        raise Malformed(f"unknown field {sorted(unknown)[0][:40]!r}")
    return {name: _value(name, field, given) for name, field in fields.items()}


def parse(raw: bytes) -> dict[str, Any]:
    if len(raw) > LONGEST_BODY:
        raise Malformed("too long")
    try:
        found = json.loads(
            raw.decode("utf-8", "strict"),
            object_pairs_hook=_without_doubles,
            parse_int=_whole,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError) as error:
        raise Malformed("no JSON in UTF-8") from error
    if not isinstance(found, dict):
        raise Malformed("no object")
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a doubled key")
    return found


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_DIGITS:
        raise Malformed("a number too long")
    return int(digits)


def _no_number(text: str) -> NoReturn:
    raise Malformed("a number that is not whole")


def _value(name: str, field: Field, given: Mapping[str, Any]) -> Any:
    if name not in given:
        if field.default is None:
            raise Malformed(f"{name} is missing")
        return field.default
    value = given[name]
    match field:
        case Text() if isinstance(value, str):
            return _text(name, field, value)
        case Base64() if isinstance(value, str):
            return _bytes(name, field, value)
        case Flag() if isinstance(value, bool):
            return value
        case Nested() if isinstance(value, dict):
            return json.dumps(value)
    raise Malformed(f"{name} is of a wrong type")


def _text(name: str, field: Text, value: str) -> str:
    if not field.shortest <= len(value) <= field.longest or "\0" in value:
        raise Malformed(f"{name} has a wrong length")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Malformed(f"{name} holds half a character")
    if field.pattern and re.fullmatch(field.pattern, value) is None:
        raise Malformed(f"{name} has a wrong form")
    return value


def _bytes(name: str, field: Base64, value: str) -> bytes:
    try:
        found = from_base64url(value)
    except ValueError as error:
        raise Malformed(f"{name} is not base64url") from error
    if len(found) != field.size:
        raise Malformed(f"{name} has a wrong length")
    return found
