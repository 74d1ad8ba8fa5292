"""People, projects, tokens, keys and the audit trail as rows."""

from accounts.models.api_token import ApiToken
from accounts.models.audit_event import AuditEvent
from accounts.models.audit_link import AuditLink
from accounts.models.project import Project
from accounts.models.role import Role
from accounts.models.sealed_field import Plain, SealedField
from accounts.models.sealing_key import SealingKey
from accounts.models.session import Session
from accounts.models.signing_key import SigningKey
from accounts.models.user import User

__all__ = [
    "ApiToken",
    "AuditEvent",
    "AuditLink",
    "Plain",
    "Project",
    "Role",
    "SealedField",
    "SealingKey",
    "Session",
    "SigningKey",
    "User",
]
