from .challenge import Challenge, ChallengeState, Purpose
from .device import DeviceGrant, DeviceState, GrantState, SecurityDevice
from .login import AttemptState, LoginAttempt
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
from .share import ShareRequest, ShareState

__all__ = [
    "ActivationState",
    "AttemptState",
    "Challenge",
    "ChallengeState",
    "DeviceGrant",
    "DeviceState",
    "GrantState",
    "LoginAttempt",
    "LoginPrompt",
    "Phone",
    "PhoneActivation",
    "PhoneNonce",
    "PhoneState",
    "PhoneUser",
    "Platform",
    "PromptReport",
    "PromptState",
    "Purpose",
    "SecurityDevice",
    "ShareRequest",
    "ShareState",
]
