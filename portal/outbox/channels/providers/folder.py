"""
For development: `folder://anybody:anything@here/?from=Portal` writes files, as the channel of that name.
"""

from typing import ClassVar

from portal.outbox.channels import folder
from portal.outbox.channels.base import Message

from .base import Provider


class Backend(Provider):
    scheme: ClassVar[str] = "folder"
    form: ClassVar[str] = "folder://anybody:anything@here/?from=Portal"
    is_idempotent = True

    def send(self, message: Message) -> str:
        folder.send(message)
        return f"folder-{message.id}"
