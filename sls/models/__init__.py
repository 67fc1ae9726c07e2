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
from .policy import ReviewPolicy
from .prompt import LoginPrompt, PromptReport, PromptState
from .reset import PasswordReset, ResetState
from .share import ShareRequest, ShareState
from .support import CallerCheck, CheckState, ClientRecord, Suspension
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
    "CallerCheck",
    "CardRequestState",
    "Challenge",
    "ChallengeState",
    "CheckState",
    "ClientRecord",
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
    "ReviewPolicy",
    "SecurityDevice",
    "ShareRequest",
    "ShareState",
    "Suspension",
    "TemporaryCodeRequest",
]
