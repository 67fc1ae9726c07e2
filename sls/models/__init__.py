from .challenge import Challenge, ChallengeState, Purpose
from .device import DeviceGrant, DeviceState, GrantState, SecurityDevice
from .login import AttemptState, LoginAttempt, Preference
from .mobile import NumberCheck, NumberCheckState
from .reset import PasswordReset, ResetState
from .share import ShareRequest, ShareState
from .temporary import (
    CardRequestState,
    CodeRequestState,
    IdentityCheck,
    OnlineCardRequest,
    TemporaryCodeRequest,
)

__all__ = [
    "AttemptState",
    "CardRequestState",
    "Challenge",
    "ChallengeState",
    "CodeRequestState",
    "DeviceGrant",
    "DeviceState",
    "GrantState",
    "IdentityCheck",
    "LoginAttempt",
    "NumberCheck",
    "NumberCheckState",
    "OnlineCardRequest",
    "PasswordReset",
    "Preference",
    "Purpose",
    "ResetState",
    "SecurityDevice",
    "ShareRequest",
    "ShareState",
    "TemporaryCodeRequest",
]
