"""What the demo page shows beside the cast: the messages that were delivered into the folder."""

import json
from typing import Any

from django.conf import settings


def delivered_messages(at_most: int = 20) -> list[dict[str, Any]]:
    """The newest messages of `MESSAGE_FOLDER`, newest first."""
    if not settings.MESSAGE_FOLDER.is_dir():
        return []
    files = sorted(
        settings.MESSAGE_FOLDER.glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True
    )
    return [json.loads(file.read_text(encoding="utf-8")) for file in files[:at_most]]
