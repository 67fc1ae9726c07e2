"""Browsers in plain words. Pure."""

import re

BROWSERS = [
    ("Edge", r"\bEdg(e|A|iOS)?/"),
    ("Opera", r"\b(OPR|Opera)/"),
    ("Firefox", r"\b(Firefox|FxiOS)/"),
    ("Chrome", r"\b(Chrome|CriOS|HeadlessChrome)/"),
    ("Safari", r"\bSafari/"),
]
SYSTEMS = [
    ("Android", r"\bAndroid\b"),
    ("iOS", r"\b(iPhone|iPad|iPod)\b"),
    ("Windows", r"\bWindows\b"),
    ("macOS", r"\bMac OS X\b"),
    ("Linux", r"\bLinux\b"),
]


def browser_in_words(user_agent: str) -> str:
    """ "Firefox, Windows" from a User-Agent header; empty parts are left out."""
    return ", ".join(
        part for part in (_first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)) if part
    )


def _first(known: list[tuple[str, str]], text: str) -> str:
    return next((name for name, pattern in known if re.search(pattern, text)), "")
