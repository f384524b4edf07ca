"""Permissions of roles, and where they end."""

from uuid import UUID

import pytest

from app.rules.access import (
    API_CLIENT_SCOPES,
    ROLE_PERMISSIONS,
    STORE_BOUND_ROLES,
    SYSTEM,
    Actor,
)
from app.vocabulary import ActorKind, Permission, Role

HERE, THERE = UUID(int=1), UUID(int=2)


def actor(store_ids: frozenset[UUID] | None) -> Actor:
    """Return a member of staff with these stores."""
    return Actor(
        kind=ActorKind.STAFF,
        id=UUID(int=3),
        name="李文",
        permissions=ROLE_PERMISSIONS[Role.CLERK],
        store_ids=store_ids,
    )


def test_every_role_has_its_permissions() -> None:
    assert set(ROLE_PERMISSIONS) == set(Role)
    assert ROLE_PERMISSIONS[Role.ADMIN] == frozenset(Permission)
    assert SYSTEM.permissions == frozenset(Permission)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
@pytest.mark.parametrize(
    "permission",
    [
        Permission.STAFF_WRITE,
        Permission.STORES_WRITE,
        Permission.SOURCES_WRITE,
        Permission.API_CLIENTS_WRITE,
    ],
)
def test_administration_is_the_administrators_alone(role: Role, permission: Permission) -> None:
    assert permission not in ROLE_PERMISSIONS[role]


def test_an_auditor_reads_and_changes_nothing() -> None:
    assert {permission.split(":")[1] for permission in ROLE_PERMISSIONS[Role.AUDITOR]} == {"read"}


def test_who_works_at_the_counter_is_bound_to_stores() -> None:
    assert frozenset({Role.STORE_MANAGER, Role.CLERK, Role.SERVICE}) == STORE_BOUND_ROLES


def test_machines_do_not_administer_people_keys_and_tills() -> None:
    assert set(Permission) - API_CLIENT_SCOPES == {
        Permission.STAFF_WRITE,
        Permission.API_CLIENTS_WRITE,
        Permission.SOURCES_WRITE,
    }


def test_an_actor_may_what_is_among_the_permissions() -> None:
    assert actor(None).may(Permission.CUSTOMERS_WRITE)
    assert not actor(None).may(Permission.STORES_WRITE)


@pytest.mark.parametrize(
    ("bound_to", "store", "reaches"),
    [
        (None, HERE, True),
        (None, None, True),
        (frozenset({HERE}), HERE, True),
        (frozenset({HERE}), THERE, False),
        (frozenset({HERE}), None, True),
        (frozenset(), HERE, False),
    ],
    ids=[
        "the whole chain", "the whole chain, nobody's", "one's own", "another's",
        "nobody's", "bound to no store at all",
    ],
)  # fmt: skip
def test_rights_end_at_ones_stores(
    bound_to: frozenset[UUID] | None, store: UUID | None, reaches: bool
) -> None:
    assert actor(bound_to).reaches_store(store) is reaches
