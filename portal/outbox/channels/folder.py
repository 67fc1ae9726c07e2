"""Development and demo: every message becomes one JSON file in `MESSAGE_FOLDER`."""

import hashlib
import json
import os
from dataclasses import asdict

from django.conf import settings
from django.utils import timezone

from .base import Message


def send(message: Message) -> None:
    """Write the file under a name made of the key: a message delivered twice is one file."""
    folder = settings.MESSAGE_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(message.key.encode()).hexdigest()[:16]
    content = asdict(message) | {"sent_at": timezone.now().isoformat()}
    scratch = folder / f".{name}.{os.getpid()}"
    scratch.write_text(
        json.dumps(content, ensure_ascii=False, indent=2, default=str), encoding="utf-8"
    )
    scratch.replace(folder / f"{name}.json")
