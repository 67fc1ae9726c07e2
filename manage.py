#!/usr/bin/env python
"""Django's command line for the Client Portal."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError, ProgrammingError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"A setting is wrong: {error}\ndocs/operations.md, Modes, names them all.")
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(
            f"The database refused: {str(error).strip().splitlines()[0]}\n"
            "`manage.py doctor` says what is wrong and what to do; a new database needs `manage.py migrate` first."
        )


if __name__ == "__main__":
    main()
