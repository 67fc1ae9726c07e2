"""
Pure: what may stand in an SMS. One line, no link, nothing invisible, of bounded length.

Phones turn whatever looks like an address into a link, and a text that is cut loses its end; so data that
looks like a link is left out, long data is cut, and templates put the code first.
"""

import re
import unicodedata

LONGEST = 160  # characters: one part in the Latin alphabet, three in Chinese
LONGEST_VALUE = 40
LINK = re.compile(r"://|www\.|@|\w\.[^\W\d_]", re.IGNORECASE)


def harmless(value: object) -> object:
    """A value of the context as an SMS may show it; numbers as they are."""
    if not isinstance(value, str):
        return value
    line = one_line(value)
    return "…" if LINK.search(line) else line[:LONGEST_VALUE]


def one_line(text: str) -> str:
    """Blanks and line breaks become one blank each; control and format characters go."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    seen = "".join(c for c in spaced if not unicodedata.category(c).startswith("C"))
    return " ".join(seen.split())[:LONGEST]
