"""The audit vocabulary of this app: dotted and past."""

USER_LOCKED = "portal.user.locked"
USER_UNLOCKED = "portal.user.unlocked"

PERSONAL_DATA_VIEWED = "portal.personal_data.viewed"
AUDIT_EXPORTED = "portal.audit.exported"
AUDIT_VERIFIED = "portal.audit.verified"
BACKUP_MADE = "portal.backup.made"
MESSAGE_SENT_AGAIN = "portal.message.sent_again"
