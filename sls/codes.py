"""
Codes that a user already has when he is asked: a Temporary Code read out by staff, a code sent by SMS.

Pure: nothing is stored here. Letters count as they are: a Temporary Code is in capitals (KB1132).
"""

import secrets

from sls.codecard import ALPHABET

TEMPORARY_LENGTH = 8  # 40 bits; a few tries a day are judged
SMS_DIGITS = 6


def new_temporary() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(TEMPORARY_LENGTH))


def new_sms() -> str:
    return f"{secrets.randbelow(10**SMS_DIGITS):0{SMS_DIGITS}}"


def normalise(typed: str) -> str:
    """Without blanks, also those within: a code is read out and shown in groups."""
    return "".join(typed.split())


def in_groups(code: str) -> str:
    """For reading out and copying: halves with a blank between."""
    half = len(code) // 2
    return f"{code[:half]} {code[half:]}"
