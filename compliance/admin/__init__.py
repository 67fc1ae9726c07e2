"""Compliance's part of the admin; importing a module registers its pages."""

from . import dashboard, policies, queue

__all__ = ["dashboard", "policies", "queue"]
