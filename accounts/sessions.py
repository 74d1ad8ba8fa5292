"""Sessions as Django's database backend keeps them, but under the hash of their key, and with what their owner sees."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.utils import timezone

from accounts.models import Session
from accounts.models.session import BROWSER, digest

SEEN_EVERY = timedelta(minutes=1)
# The member of a session's data that `describe` writes, from where each saving copies it into the row.
ABOUT = "about"


class SessionStore(db.SessionStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    @property
    def stored_key(self) -> str:
        """The primary key of this session's row."""
        return digest(self.session_key) if self.session_key else ""

    def describe(self, *, address: str, browser: str, expires_at: datetime) -> None:
        """Where a session that begins now comes from, and when it ends whatever is done in it."""
        self[ABOUT] = {"at": timezone.now().isoformat(), "address": address, "browser": browser[:BROWSER]}
        self.set_expiry(expires_at)

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(pk=digest(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            Session.objects.filter(pk=digest(key)).delete()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        about = data.get(ABOUT, {})
        return Session(
            session_key=digest(self._get_or_create_session_key()),  # type: ignore[attr-defined]  # stubs lack it
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
            created_at=datetime.fromisoformat(about["at"]) if about else timezone.now(),
            address=about.get("address", ""),
            browser=about.get("browser", ""),
        )

    def _get_session_from_db(self) -> Session | None:
        found = Session.objects.live().filter(pk=self.stored_key).first()
        if found is None:
            self._session_key = None
        else:
            _seen(found)
        return found


def _seen(session: Session) -> None:
    """Noted once a minute, not at each request."""
    now = timezone.now()
    if now - session.last_seen_at > SEEN_EVERY:
        Session.objects.filter(pk=session.pk).update(last_seen_at=now)
