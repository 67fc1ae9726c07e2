"""
The catalogue of our words: `python -m tests.house.catalogue` gathers them from the sources below the
current folder, keeps the Chinese they have, and compiles it. It needs the gettext tools.
"""

import os
import re
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.commands import makemessages
from django.utils.translation import ngettext

LOCALE = "zh_Hans"
PO = Path("locale", LOCALE, "LC_MESSAGES", "django.po")
NOT_OURS = [".venv", "var", "tests", "bench", "management"]


class Gather(makemessages.Command):
    """
    Django's own, with three differences: modules that use both kinds of gettext import the eager one as
    `say`; this file is read too; and no time stamp, which would change the file at every run.
    """

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=say"]

    def find_files(self, root: str) -> list[makemessages.TranslatableFile]:
        found = super().find_files(root)
        this = self.translatable_file_class("./tests/house", "catalogue.py", found[0].locale_dir)
        return [*found, this]

    def write_po_file(self, potfile: str, locale: str) -> None:
        super().write_po_file(potfile, locale)
        po = Path(potfile).parent / locale / "LC_MESSAGES" / f"{self.domain}.po"
        text = po.read_text(encoding="utf-8")
        po.write_text(re.sub(r'"POT-Creation-Date: [^"]*"\n', "", text), encoding="utf-8")


def words_django_has_no_chinese_for(number: int) -> list[str]:
    """Never called: they are gathered from here, and translated with ours."""
    return [
        ngettext(
            "This password is too short. It must contain at least %d character.",
            "This password is too short. It must contain at least %d characters.",
            number,
        ),
    ]


def gather() -> None:
    call_command(
        Gather(),
        locale=[LOCALE],
        extensions=["html,txt,py"],
        ignore_patterns=NOT_OURS,
        no_wrap=True,
        no_location=True,
        no_obsolete=True,
        verbosity=0,
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    django.setup()
    gather()
    call_command("compilemessages", locale=[LOCALE], ignore_patterns=NOT_OURS, verbosity=0)
