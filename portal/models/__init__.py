from .account import DocumentType, Entity, PhoneNumber, User
from .audit import AuditEvent
from .lockout import Allowance
from .outbox import Channel, MessageState, OutboxMessage
from .session import BrowserSession

__all__ = [
    "Allowance",
    "AuditEvent",
    "BrowserSession",
    "Channel",
    "DocumentType",
    "Entity",
    "MessageState",
    "OutboxMessage",
    "PhoneNumber",
    "User",
]
