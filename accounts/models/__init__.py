"""People, projects, tokens and the audit trail as rows."""

from accounts.models.api_token import ApiToken
from accounts.models.audit_event import AuditEvent
from accounts.models.project import Project
from accounts.models.user import User

__all__ = ["ApiToken", "AuditEvent", "Project", "User"]
