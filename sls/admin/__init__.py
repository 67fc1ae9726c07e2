"""The Secure Login System's part of the admin; importing a module registers its pages."""

from . import codes, devices, shares

__all__ = ["codes", "devices", "shares"]
