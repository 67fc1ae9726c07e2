"""
The floor's templates, made of the product's pages: the same bytes as plain text, with variables only where
the content of a row, the user's name and the form token stand.
"""

import re
from pathlib import Path

CARD = re.compile(r"<li><article class=\"device.*?</article>\s*</li>", re.DOTALL)
TOKEN = re.compile(r'<input type="hidden" name="csrfmiddlewaretoken" value="[^"]*">')
DATE = re.compile(r"(<dt>Since</dt><dd>)[^<]*")
STATE = re.compile(r"(</svg>)\s*Active(</span>)")


def write(folder: Path, name: str, html: str, username: str) -> None:
    folder.joinpath(name).write_text(_plain(html, username))


def write_list(folder: Path, html: str, username: str, words: dict[str, str]) -> None:
    """`words` are the first device's: what stands on its card, and the name of its variable."""
    html = re.sub(r"<li>\s*<article", "<li><article", html)
    cards = CARD.findall(html)
    assert cards, "no device card in the product's list: bench/floor/pages.py wants mending"
    card = _plain(cards[0], username)
    for word, variable in words.items():
        assert word in card, f"{word!r} does not stand on the card: {card}"
        card = card.replace(word, f"{{{{ device.{variable} }}}}")
    card = card.replace('"device-1"', '"device-{{ forloop.counter }}"')
    card = DATE.sub(r'\1{{ device.since|date:"DATE_FORMAT" }}', card)
    card = STATE.sub(r"\1{{ device.state }}\2", card)
    start = html.index(cards[0])
    end = html.index(cards[-1]) + len(cards[-1])
    loop = "{% for device in devices %}" + card + "{% endfor %}"
    template = _plain(html[:start], username) + loop + _plain(html[end:], username)
    folder.joinpath("devices.html").write_text(template)


def _plain(html: str, username: str) -> str:
    assert "{{" not in html
    assert "{%" not in html
    return TOKEN.sub("{% csrf_token %}", html).replace(username, "{{ user.username }}")
