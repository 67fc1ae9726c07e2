"""The audit vocabulary of this app: dotted and past."""

USER_LOCKED = "portal.user.locked"
USER_UNLOCKED = "portal.user.unlocked"
