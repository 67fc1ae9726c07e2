from .challenge import Challenge, ChallengeState, Purpose
from .device import DeviceGrant, DeviceState, GrantState, SecurityDevice
from .login import AttemptState, LoginAttempt, Preference
from .reset import PasswordReset, ResetState
from .share import ShareRequest, ShareState

__all__ = [
    "AttemptState",
    "Challenge",
    "ChallengeState",
    "DeviceGrant",
    "DeviceState",
    "GrantState",
    "LoginAttempt",
    "PasswordReset",
    "Preference",
    "Purpose",
    "ResetState",
    "SecurityDevice",
    "ShareRequest",
    "ShareState",
]
