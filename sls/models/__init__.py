from .challenge import Challenge, ChallengeState, Purpose
from .device import DeviceGrant, DeviceState, GrantState, SecurityDevice
from .login import AttemptState, LoginAttempt, Preference
from .mobile import NumberCheck, NumberCheckState
from .phone import (
    ActivationState,
    Phone,
    PhoneActivation,
    PhoneNonce,
    PhoneState,
    PhoneUser,
    Platform,
)
from .prompt import LoginPrompt, PromptReport, PromptState
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
    "ActivationState",
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
    "LoginPrompt",
    "NumberCheck",
    "NumberCheckState",
    "OnlineCardRequest",
    "PasswordReset",
    "Phone",
    "PhoneActivation",
    "PhoneNonce",
    "PhoneState",
    "PhoneUser",
    "Platform",
    "Preference",
    "PromptReport",
    "PromptState",
    "Purpose",
    "ResetState",
    "SecurityDevice",
    "ShareRequest",
    "ShareState",
    "TemporaryCodeRequest",
]
