"""The Secure Login System's part of the admin; importing a module registers its pages."""

from . import codes, devices, phones, shares

__all__ = ["codes", "devices", "phones", "shares"]
