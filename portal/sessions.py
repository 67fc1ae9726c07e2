"""Django's database sessions with fewer statements; the same table, the same guarantees."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils.crypto import get_random_string

KEY_LENGTH = 40  # letters and digits: 238 bits


class SessionStore(DatabaseStore):
    """
    A new key is not looked up first: it is random enough, and its INSERT would fail if it existed. A
    cycled session is written once, with everything the request put into it, when the request ends.
    """

    def _get_new_session_key(self) -> str:
        return get_random_string(KEY_LENGTH)

    def cycle_key(self) -> None:
        self._get_session()  # type: ignore[attr-defined]  # loaded before its row goes
        self.delete()
        self._session_key = None
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            self.model.objects.filter(session_key=key).delete()
