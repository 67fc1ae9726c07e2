"""What a message says: rendered at sending time, in the receiver's language."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.loader import get_template, render_to_string
from django.utils import translation

from portal import vault
from portal.models import Channel, OutboxMessage

from . import countries, encoding, sms
from .channels.base import Message


def render(row: OutboxMessage) -> Message:
    """The message in the receiver's language. The row notes the template's version and an SMS's size."""
    opened = json.loads(vault.sealed_field(row, "context").open_from(row))
    to = vault.sealed_field(row, "recipient").open_from(row) or row.user.email
    with translation.override(row.language):
        subject, text = WORDS[Channel(row.channel)](row, opened)
    if row.channel == Channel.SMS:
        size = encoding.size(text)
        row.encoding, row.segments = size.encoding, size.segments
    return Message(
        key=row.idempotency_key,
        channel=row.channel,
        event=row.event,
        to=to,
        username=row.user.username,
        language=row.language,
        subject=subject,
        text=text,
        expires_at=row.expires_at,
        id=str(row.pk),
    )


def cost_of(row: OutboxMessage) -> int:
    """Cost units of handing the message over once."""
    return row.segments * countries.row(row.country).weight if row.segments else 0


def _letter(row: OutboxMessage, opened: dict[str, Any]) -> tuple[str, str]:
    """The first line of the template is the subject."""
    shared = {"user": row.user, "brand": settings.BRAND, "base_url": settings.BASE_URL}
    words = _words(row, opened | shared)
    subject, _, text = words.strip().partition("\n")
    return " ".join(subject.split())[:150], text.strip()


def _short_text(row: OutboxMessage, opened: dict[str, Any]) -> tuple[str, str]:
    """One line without a subject. The template gets no address to make a link of."""
    shown = {name: sms.harmless(value) for name, value in opened.items()}
    return "", sms.one_line(_words(row, shown | {"brand": settings.BRAND}))


def _look(row: OutboxMessage, opened: dict[str, Any]) -> tuple[str, str]:
    """Nothing but "look", and the id that the phone shows us when it asks what for."""
    return "", json.dumps({"event": "look", "id": str(opened["id"])})


def _words(row: OutboxMessage, context: dict[str, Any]) -> str:
    name = f"messages/{row.event}/{row.channel}.txt"
    words = render_to_string(name, context)
    row.template_version = _version(name)
    return words


@lru_cache(maxsize=256)
def _version(name: str) -> str:
    """The beginning of the file's SHA-256: which text somebody got, long after it was changed."""
    origin: Any = get_template(name).origin  # type: ignore[attr-defined]
    return hashlib.sha256(Path(origin.name).read_bytes()).hexdigest()[:12]


WORDS = {Channel.EMAIL: _letter, Channel.SMS: _short_text, Channel.PUSH: _look}
