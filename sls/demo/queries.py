"""What the demo page shows beside the cast: the messages that were delivered into the folder."""

import json
from typing import Any

from django.conf import settings

PAGE = 5


def delivered_messages(page: int) -> tuple[list[dict[str, Any]], bool]:
    """A page (from 1) of the messages of `MESSAGE_FOLDER`, newest first; and whether there are older ones."""
    if not settings.MESSAGE_FOLDER.is_dir():
        return [], False
    files = sorted(
        settings.MESSAGE_FOLDER.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    shown = files[(page - 1) * PAGE : page * PAGE]
    return [json.loads(file.read_text(encoding="utf-8")) for file in shown], len(
        files
    ) > page * PAGE
