from .challenge import Challenge, ChallengeState, Purpose
from .device import DeviceGrant, DeviceState, GrantState, SecurityDevice
from .login import AttemptState, LoginAttempt
from .share import ShareRequest, ShareState

__all__ = [
    "AttemptState",
    "Challenge",
    "ChallengeState",
    "DeviceGrant",
    "DeviceState",
    "GrantState",
    "LoginAttempt",
    "Purpose",
    "SecurityDevice",
    "ShareRequest",
    "ShareState",
]
