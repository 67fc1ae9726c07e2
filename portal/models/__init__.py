from .account import DocumentType, Entity, PhoneNumber, User
from .audit import AuditEvent
from .heartbeat import Heartbeat
from .ledger import AttemptOutcome, OutboxAttempt, SmsProvider
from .lockout import Allowance
from .outbox import Channel, MessagePurpose, MessageState, OutboxMessage, Receipt, Urgency
from .session import BrowserSession

__all__ = [
    "Allowance",
    "AttemptOutcome",
    "AuditEvent",
    "BrowserSession",
    "Channel",
    "DocumentType",
    "Entity",
    "Heartbeat",
    "MessagePurpose",
    "MessageState",
    "OutboxAttempt",
    "OutboxMessage",
    "PhoneNumber",
    "Receipt",
    "SmsProvider",
    "Urgency",
    "User",
]
