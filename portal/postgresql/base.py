"""Django's PostgreSQL backend with a health check that asks the socket instead of the server."""

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """
        Nothing waits to be read on the socket of an idle connection that still stands. When something
        does (the server has hung up, or has a notice for us), a query decides, as in Django's own check.
        """
        connection: Any = self.connection
        if connection is None or connection.closed:
            return False
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        return not poll.poll(0) or super().is_usable()
