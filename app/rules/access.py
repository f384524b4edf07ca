"""Who may do what: permissions of roles, and which roles are bound to their stores."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from app.vocabulary import ActorKind, Permission, Role

_EVERYBODY = frozenset(
    {
        Permission.ME_READ,
        Permission.STORES_READ,
        Permission.CATALOGUE_READ,
        Permission.TIERS_READ,
    }
)
_AT_THE_COUNTER = _EVERYBODY | {
    Permission.CUSTOMERS_READ,
    Permission.CUSTOMERS_WRITE,
    Permission.PURCHASES_READ,
    Permission.STAFF_READ,
    Permission.CONSENTS_WRITE,
    Permission.INTERACTIONS_READ,
    Permission.INTERACTIONS_WRITE,
}
_LEADING = frozenset(
    {
        Permission.CUSTOMERS_UNMASK,
        Permission.CUSTOMERS_MERGE,
        Permission.CUSTOMERS_EXPORT,
    }
)

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.MANAGER: _AT_THE_COUNTER
    | _LEADING
    | {
        Permission.IMPORTS_WRITE,
        Permission.PRIVACY_WRITE,
        Permission.CUSTOM_FIELDS_WRITE,
        Permission.CHANNELS_WRITE,
        Permission.TIERS_WRITE,
        Permission.TIER_POLICIES_WRITE,
        Permission.EVENTS_READ,
        Permission.EVENTS_REPLAY,
        Permission.REPORTS_READ,
        Permission.SOURCES_READ,
        Permission.CATALOGUE_WRITE,
        Permission.AUDIT_READ,
    },
    Role.STORE_MANAGER: _AT_THE_COUNTER
    | _LEADING
    | {
        Permission.TIERS_WRITE,
        Permission.EVENTS_READ,
        Permission.EVENTS_REPLAY,
        Permission.REPORTS_READ,
        Permission.SOURCES_READ,
    },
    Role.CLERK: _AT_THE_COUNTER,
    Role.SERVICE: _AT_THE_COUNTER | {Permission.EVENTS_READ, Permission.CUSTOMERS_UNMASK},
    Role.MARKETING: _EVERYBODY
    | {
        Permission.CUSTOMERS_READ,
        Permission.CUSTOMERS_EXPORT,
        Permission.INTERACTIONS_READ,
        Permission.REPORTS_READ,
    },
    Role.AUDITOR: _EVERYBODY
    | {
        Permission.CUSTOMERS_READ,
        Permission.PURCHASES_READ,
        Permission.INTERACTIONS_READ,
        Permission.EVENTS_READ,
        Permission.REPORTS_READ,
        Permission.STAFF_READ,
        Permission.SOURCES_READ,
        Permission.AUDIT_READ,
    },
}
"""Deny by default: what is not listed is refused."""

STORE_BOUND_ROLES = frozenset({Role.STORE_MANAGER, Role.CLERK, Role.SERVICE})
"""Roles whose rights to change, and to see tills' events and reports, end at their own stores."""

API_CLIENT_SCOPES = frozenset(Permission) - {
    Permission.STAFF_WRITE,
    Permission.API_CLIENTS_WRITE,
    Permission.SOURCES_WRITE,
}
"""What a machine may be given. Administration of people, keys and tills stays with people: who
makes a till's secret can sign sales that never were."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and what they may do.

    ``store_ids`` is None for everybody who is not bound to stores.
    """

    kind: ActorKind
    id: UUID | None
    name: str
    permissions: frozenset[Permission]
    role: Role | None = None
    store_ids: frozenset[UUID] | None = None
    request_id: str | None = field(default=None, compare=False)

    def may(self, permission: Permission) -> bool:
        """Tell whether the actor holds the permission."""
        return permission in self.permissions

    def reaches_store(self, store_id: UUID | None) -> bool:
        """Tell whether the actor's rights extend to a store; what has no store is everybody's."""
        return self.store_ids is None or store_id is None or store_id in self.store_ids


SYSTEM = Actor(kind=ActorKind.SYSTEM, id=None, name="system", permissions=frozenset(Permission))
"""The service itself: jobs, the demo's loader, the command line."""
