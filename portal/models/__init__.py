from .account import DocumentType, Entity, PhoneNumber, User
from .audit import AuditEvent
from .lockout import Allowance
from .outbox import Channel, MessageState, OutboxMessage

__all__ = [
    "Allowance",
    "AuditEvent",
    "Channel",
    "DocumentType",
    "Entity",
    "MessageState",
    "OutboxMessage",
    "PhoneNumber",
    "User",
]
