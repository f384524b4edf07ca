"""What has run out is forgotten, and nothing else."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.config import Settings
from app.core.ids import new_id
from app.models import AccessToken, IdempotencyKey, SignInThrottle
from app.services import housekeeping
from app.services.housekeeping import forget_expired
from tests.support.world import World

NOW = datetime(2030, 1, 5, 12, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


async def add_token(
    session: AsyncSession,
    staff_id: UUID,
    *,
    used_at: datetime = NOW,
    expires_at: datetime = NOW + timedelta(days=1),
    revoked_at: datetime | None = None,
) -> UUID:
    token_id = new_id()
    await session.execute(
        insert(AccessToken).values(
            id=token_id,
            token_hash=token_id.hex,
            staff_id=staff_id,
            created_at=NOW - timedelta(days=2),
            last_used_at=used_at,
            expires_at=expires_at,
            revoked_at=revoked_at,
        )
    )
    return token_id


async def test_tokens_end_by_expiry_idleness_and_revocation(
    world: World, session: AsyncSession, settings: Settings
) -> None:
    idle = timedelta(minutes=settings.token_idle_minutes)
    clerk = world.staff["clerk"]
    # Those of the world itself: signed in before 2030 and idle since.
    others = len(world.tokens)
    kept = {
        await add_token(session, clerk),
        await add_token(session, clerk, expires_at=NOW + INSTANT),
        await add_token(session, clerk, used_at=NOW - idle + INSTANT),
    }
    await add_token(session, clerk, expires_at=NOW)
    await add_token(session, clerk, used_at=NOW - idle)
    await add_token(session, clerk, revoked_at=NOW - timedelta(hours=1))

    counts = await forget_expired(session, settings, NOW)

    assert {name: count for name, count in counts.items() if count} == {"access_tokens": others + 3}
    assert set(await session.scalars(select(col(AccessToken.id)))) == kept


async def test_kept_answers_end_at_their_expiry(session: AsyncSession, settings: Settings) -> None:
    for key, expires_at in (("ended", NOW), ("lives", NOW + INSTANT)):
        await session.execute(
            insert(IdempotencyKey).values(
                principal_id=new_id(),
                key=key,
                request_hash="hash",
                created_at=NOW - timedelta(days=7),
                expires_at=expires_at,
            )
        )

    counts = await forget_expired(session, settings, NOW)

    assert counts["idempotency_keys"] == 1
    assert list(await session.scalars(select(col(IdempotencyKey.key)))) == ["lives"]


async def test_windows_of_counted_sign_ins_end_when_they_are_over(
    session: AsyncSession, settings: Settings
) -> None:
    window = timedelta(seconds=settings.sign_in_window_seconds)
    for subject, starts_at in (("over", NOW - window), ("open", NOW - window + INSTANT)):
        await session.execute(
            insert(SignInThrottle).values(key=subject, window_starts_at=starts_at, attempts=3)
        )

    counts = await forget_expired(session, settings, NOW)

    assert counts["sign_in_windows"] == 1
    assert list(await session.scalars(select(col(SignInThrottle.key)))) == ["open"]


async def test_forgetting_twice_forgets_nothing_more(
    world: World, session: AsyncSession, settings: Settings
) -> None:
    await forget_expired(session, settings, NOW)

    again = await forget_expired(session, settings, NOW)

    assert set(again.values()) == {0}
    assert {"idempotency_keys", "access_tokens", "sign_in_windows", "remaining"} < set(again)


async def test_much_that_ran_out_is_forgotten_in_portions(
    world: World, session: AsyncSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "CHUNK", 2)
    await session.execute(delete(AccessToken))
    for _ in range(3):
        await add_token(session, world.staff["clerk"], expires_at=NOW)
    kept = await add_token(session, world.staff["clerk"])
    for number in range(4):
        await session.execute(
            insert(IdempotencyKey).values(
                principal_id=new_id(),
                key=f"key-{number}",
                request_hash="hash",
                created_at=NOW - timedelta(days=7),
                expires_at=NOW,
            )
        )

    counts = [await forget_expired(session, settings, NOW) for _ in range(3)]

    assert [
        (one["access_tokens"], one["idempotency_keys"], one["remaining"]) for one in counts
    ] == [(2, 2, 2), (1, 2, 1), (0, 0, 0)]
    assert list(await session.scalars(select(col(AccessToken.id)))) == [kept]
