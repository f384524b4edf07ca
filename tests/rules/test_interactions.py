"""Who may correct an interaction: its author for a while, leaders of its shop for ever."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.rules.access import ROLE_PERMISSIONS, Actor
from app.rules.interactions import Correction, Recorded, may_correct
from app.vocabulary import ActorKind, Role

AT = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)
AUTHOR, OTHER = UUID(int=1), UUID(int=2)
HERE, THERE = UUID(int=10), UUID(int=11)
DAY, MOMENT = timedelta(hours=24), timedelta(microseconds=1)


def person(role: Role, who: UUID, store: UUID | None = None) -> Actor:
    """Return somebody of a role, bound to a shop or to none."""
    return Actor(
        kind=ActorKind.STAFF, id=who, name="x", permissions=ROLE_PERMISSIONS[role], role=role,
        store_ids=None if store is None else frozenset({store}),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("actor", "store", "after", "decision"),
    [
        pytest.param(person(Role.CLERK, AUTHOR, HERE), HERE, DAY, Correction.ALLOWED,
                     id="author, last moment"),
        pytest.param(person(Role.CLERK, AUTHOR, HERE), HERE, DAY + MOMENT, Correction.TOO_LATE,
                     id="author, too late"),
        pytest.param(person(Role.CLERK, AUTHOR, THERE), HERE, DAY, Correction.ALLOWED,
                     id="author who moved to another shop"),
        pytest.param(person(Role.CLERK, OTHER, HERE), HERE, MOMENT, Correction.NOT_THEIRS,
                     id="colleague"),
        pytest.param(person(Role.STORE_MANAGER, OTHER, HERE), HERE, 99 * DAY, Correction.ALLOWED,
                     id="manager of the shop"),
        pytest.param(person(Role.STORE_MANAGER, OTHER, THERE), HERE, MOMENT,
                     Correction.NOT_THEIRS, id="manager of another shop"),
        pytest.param(person(Role.STORE_MANAGER, OTHER, THERE), None, 99 * DAY, Correction.ALLOWED,
                     id="manager, of no shop"),
        pytest.param(person(Role.MANAGER, OTHER), HERE, 99 * DAY, Correction.ALLOWED,
                     id="headquarters"),
    ],
)  # fmt: skip
def test_who_may_correct_and_until_when(
    actor: Actor, store: UUID | None, after: timedelta, decision: Correction
) -> None:
    recorded = Recorded(ActorKind.STAFF, AUTHOR, AT, store)
    assert may_correct(actor, recorded, AT + after, 24) is decision


def test_a_machine_with_the_authors_id_is_not_the_author() -> None:
    machine = Actor(kind=ActorKind.API_CLIENT, id=AUTHOR, name="x", permissions=frozenset())
    recorded = Recorded(ActorKind.STAFF, AUTHOR, AT, None)
    assert may_correct(machine, recorded, AT, 24) is Correction.NOT_THEIRS
