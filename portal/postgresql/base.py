"""Django's PostgreSQL backend, with a cheaper health check and with prepared statements where asked for."""

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

    def prepared_cursor(self) -> Any:
        """
        A cursor whose statements the server plans once for each connection: planning a join takes longer
        than answering it. Other cursors put the values into the text and are planned every time.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        connection: Any = self.connection
        with self.wrap_database_errors:
            cursor: Any = base.ServerBindingCursor(connection)  # type: ignore[call-arg]
        return self._prepare_cursor(cursor)  # type: ignore[attr-defined]
