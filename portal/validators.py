"""Password rules beside Django's own."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from portal.models import User


class LetterAndDigit:
    """At least one letter and one digit (facts.md section 2.5)."""

    def validate(self, password: str, user: User | None = None) -> None:
        if not (any(c.isalpha() for c in password) and any(c.isdigit() for c in password)):
            raise ValidationError(self.get_help_text(), code="letter_and_digit")

    def get_help_text(self) -> str:
        return _("Your password must contain at least one letter and one digit.")
