"""The Secure Login System's part of the admin; importing a module registers its pages."""

from . import callers, codes, devices, messages, phones, records, shares, suspensions

__all__ = [
    "callers",
    "codes",
    "devices",
    "messages",
    "phones",
    "records",
    "shares",
    "suspensions",
]
