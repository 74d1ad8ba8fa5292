"""How many long requests of each kind one web process holds at a time."""

from accounts.limits import Limit

DOWNLOADS = Limit("MAX_DOWNLOADS")
UPLOADS = Limit("MAX_UPLOADS")
WAITS = Limit("MAX_WAITS")
CHATS = Limit("MAX_CHATS")
BODIES = Limit("MAX_BODIES")
