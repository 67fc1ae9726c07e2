"""Django's PostgreSQL backend, with a cheaper health check and with prepared statements where asked for."""

import select
from contextlib import AbstractContextManager, nullcontext
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

    _prepared: Any = None

    def prepared_cursor(self) -> AbstractContextManager[Any]:
        """
        A cursor whose statements the server plans once for each connection: planning a join takes longer
        than answering it. Other cursors put the values into the text and are planned every time.

        A connection has one, since making it takes as long as a short statement: read its rows before you
        leave the block.
        """
        self.close_if_health_check_failed()
        self.ensure_connection()
        connection: Any = self.connection
        if self._prepared is None or self._prepared.connection is not connection:
            with self.wrap_database_errors:
                self._prepared = base.ServerBindingCursor(connection)  # type: ignore[call-arg]
        return nullcontext(self._prepare_cursor(self._prepared))  # type: ignore[attr-defined]
