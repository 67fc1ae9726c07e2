"""The Secure Login System's part of the admin; importing a module registers its pages."""

from . import devices, shares

__all__ = ["devices", "shares"]
