"""The map from database failures to errors, transactions, and trying again."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Integer, bindparam, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from app.core.config import Settings
from app.core.database import (
    Database,
    constraint_of,
    mapped_failure,
    mapping_failures,
    raw_connection,
    retrying,
    sqlstate_of,
)
from app.core.errors import (
    ConflictError,
    HuikeError,
    InvalidInputError,
    NotFoundError,
    RetryTransactionError,
    UnavailableError,
)
from app.core.logging import configure_logging


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    configure_logging("json", "INFO", stream)
    yield stream
    configure_logging("json", "WARNING")


def from_postgres(state: str) -> BaseException:
    """Return the driver's error for a SQLSTATE, known to it or not."""
    error: BaseException = asyncpg.PostgresError.new({"C": state, "M": "canary-1"})
    return error


def through_sqlalchemy(state: str) -> DBAPIError:
    """Return the same as SQLAlchemy wraps it: the driver's error is its origin's cause."""
    origin = Exception("canary-1")
    origin.__cause__ = from_postgres(state)
    return OperationalError("SELECT 1", {}, origin)


CASES = [
    ("23505", ConflictError, "conflict"),
    ("23P01", ConflictError, "conflict"),
    ("23503", ConflictError, "conflict"),
    ("23514", InvalidInputError, "validation"),
    ("22001", InvalidInputError, "validation"),
    ("22003", InvalidInputError, "validation"),
    ("22021", InvalidInputError, "validation"),
    ("22P02", InvalidInputError, "validation"),
    ("25006", UnavailableError, "database-read-only"),
    ("53100", UnavailableError, "database-full"),
    ("53200", UnavailableError, "database-overloaded"),
    ("53300", UnavailableError, "pool-exhausted"),
    ("57014", UnavailableError, "database-too-slow"),
    ("55P03", UnavailableError, "database-too-slow"),
    ("25P03", UnavailableError, "database-too-slow"),
    ("57P01", UnavailableError, "database-unavailable"),
    ("57P02", UnavailableError, "database-unavailable"),
    ("57P03", UnavailableError, "database-unavailable"),
    ("08003", UnavailableError, "database-unavailable"),
    ("08006", UnavailableError, "database-unavailable"),
    # Nobody has thought of these.
    ("42P01", UnavailableError, "database-error"),
    ("XX000", UnavailableError, "database-error"),
    ("ZZ999", UnavailableError, "database-error"),
]


@pytest.mark.parametrize("wrap", [from_postgres, through_sqlalchemy], ids=["driver", "SQLAlchemy"])
@pytest.mark.parametrize(("state", "kind", "code"), CASES)
def test_a_sqlstate_is_told_as_its_own_problem(
    state: str, kind: type[HuikeError], code: str, wrap: Any, logged: io.StringIO
) -> None:
    mapped = mapped_failure(wrap(state))
    assert type(mapped) is kind
    assert isinstance(mapped, HuikeError)
    assert mapped.code == code
    assert mapped.detail != mapped.detail_zh
    if kind is UnavailableError:
        assert int(mapped.headers["Retry-After"]) >= 1
    assert "canary" not in mapped.detail + logged.getvalue()


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_collision_asks_for_another_try(state: str) -> None:
    assert isinstance(mapped_failure(through_sqlalchemy(state)), RetryTransactionError)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (PoolTimeoutError("canary-1"), "pool-exhausted"),
        (TimeoutError("canary-1"), "database-unavailable"),
        (ConnectionRefusedError("canary-1"), "database-unavailable"),
        (OSError("canary-1"), "database-unavailable"),
        (FileNotFoundError("canary-1"), "database-unavailable"),
        (asyncpg.InterfaceError("canary-1"), "database-unavailable"),
        (OperationalError("SELECT 1", {}, Exception("canary-1")), "database-unavailable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else value,
)
def test_a_failure_without_a_sqlstate_is_one_of_reaching_the_database(
    failure: Exception, code: str, logged: io.StringIO
) -> None:
    with pytest.raises(UnavailableError) as told, mapping_failures():
        raise failure
    assert told.value.code == code
    assert told.value.__cause__ is failure
    assert int(told.value.headers["Retry-After"]) >= 1
    assert "canary" not in logged.getvalue()


@pytest.mark.parametrize("error", [NotFoundError("x"), RetryTransactionError(), KeyError("x")])
def test_what_is_no_failure_of_the_database_passes_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as passed, mapping_failures():
        raise error
    assert passed.value is error


@pytest.mark.parametrize("state", ["22003", "23514"])
def test_data_that_only_the_database_refused_is_logged_as_an_error(
    state: str, logged: io.StringIO
) -> None:
    mapped_failure(through_sqlalchemy(state))
    assert '"event": "data_error_reached_database"' in logged.getvalue()
    assert '"level": "error"' in logged.getvalue()
    assert f'"sqlstate": "{state}"' in logged.getvalue()


# --- The same with a real server ----------------------------------------------------------------


async def failing(database: Database, statement: str, **values: Any) -> HuikeError:
    with pytest.raises(HuikeError) as told:
        async with database.transaction() as session:
            await session.execute(text(statement), values)
    return told.value


@pytest.mark.parametrize(
    ("statement", "values", "code"),
    [
        ("SELECT CAST(:n AS integer)", {"n": 2**40}, "validation"),
        ("SELECT CAST(:at AS timestamptz)", {"at": "yesterday"}, "validation"),
        ("SELECT CAST(:text AS text)", {"text": "canary-1\0"}, "validation"),
        ("SELECT CAST(:text AS text)", {"text": "canary-1\ud800"}, "validation"),
        ("SELECT 1 / 0", {}, "validation"),
        ("SELECT * FROM no_such_table", {}, "database-error"),
        ("SELECT pg_terminate_backend(pg_backend_pid())", {}, "database-unavailable"),
    ],
    ids=["integer", "type", "NUL", "surrogate", "division", "unknown table", "terminated"],
)
async def test_what_real_statements_fail_with_is_mapped(
    fresh_database: Database,
    logged: io.StringIO,
    statement: str,
    values: dict[str, Any],
    code: str,
) -> None:
    error = await failing(fresh_database, statement, **values)
    assert error.code == code
    assert ("data_error_reached_database" in logged.getvalue()) == (code == "validation")
    assert "canary" not in logged.getvalue()
    await fresh_database.ping()


async def test_a_value_that_the_driver_itself_refuses_is_a_hole_in_validation_too(
    fresh_database: Database, logged: io.StringIO
) -> None:
    async def through_orm() -> None:
        async with fresh_database.transaction() as session:
            await session.execute(select(bindparam("n", 2**40, Integer)))

    async def through_the_raw_connection() -> None:
        async with fresh_database.transaction() as session:
            await (await raw_connection(session)).execute("SELECT $1::integer", 2**40)

    for work in (through_orm, through_the_raw_connection):
        with pytest.raises(InvalidInputError):
            await work()
    assert logged.getvalue().count('"sqlstate": "22000"') == 2
    assert str(2**40) not in logged.getvalue()


async def test_a_violated_constraint_is_known_by_name_and_its_values_by_nobody(
    database: Database, logged: io.StringIO
) -> None:
    insert = (
        "INSERT INTO sign_in_throttle (key, window_starts_at, attempts)"
        " VALUES ('canary-1', now(), 1)"
    )
    async with database.transaction() as session:
        await session.execute(text(insert))
    with pytest.raises(ConflictError) as told:
        async with database.transaction() as session:
            await session.execute(text(insert))
    assert told.value.members == {"constraint": "pk_sign_in_throttle"}
    cause = told.value.__cause__
    assert isinstance(cause, IntegrityError)
    assert sqlstate_of(cause) == "23505"
    assert constraint_of(cause) == "pk_sign_in_throttle"
    assert "canary" not in told.value.detail + logged.getvalue()


# --- Transactions -------------------------------------------------------------------------------


async def attempts(database: Database) -> int:
    async with database.transaction() as session:
        return int(await session.scalar(text("SELECT count(*) FROM sign_in_throttle")) or 0)


ADD = text("INSERT INTO sign_in_throttle (key, window_starts_at, attempts) VALUES (:k, now(), 1)")


async def test_a_block_that_raises_leaves_nothing_and_gives_its_connection_back(
    fresh_database: Database,
) -> None:
    async def write_and_raise(error: BaseException) -> None:
        async with fresh_database.transaction() as session:
            await session.execute(ADD, {"k": "a"})
            raise error

    for error in (KeyError("x"), asyncio.CancelledError(), NotFoundError("x")):
        with pytest.raises(type(error)):
            await write_and_raise(error)
    assert await attempts(fresh_database) == 0
    assert fresh_database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # QueuePool's


async def test_work_on_the_raw_connection_belongs_to_the_transaction(
    fresh_database: Database,
) -> None:
    async def write_and_raise() -> None:
        async with fresh_database.transaction() as session:
            raw = await raw_connection(session)
            assert raw.is_in_transaction()
            await raw.execute(
                "INSERT INTO sign_in_throttle (key, window_starts_at, attempts)"
                " VALUES ('a', now(), 1)"
            )
            raise KeyError

    with pytest.raises(KeyError):
        await write_and_raise()
    assert await attempts(fresh_database) == 0


@pytest.mark.parametrize("collisions", [0, 1, 2])
async def test_work_is_tried_three_times(fresh_database: Database, collisions: int) -> None:
    tries = 0

    async def work(session: Any) -> str:
        nonlocal tries
        tries += 1
        await session.execute(ADD, {"k": f"try-{tries}"})
        if tries <= collisions:
            raise RetryTransactionError
        return "done"

    assert await retrying(fresh_database, work) == "done"
    assert tries == collisions + 1
    assert await attempts(fresh_database) == 1


async def test_work_that_collides_three_times_is_given_up(fresh_database: Database) -> None:
    tries = 0

    async def work(session: Any) -> None:
        nonlocal tries
        tries += 1
        raise RetryTransactionError

    with pytest.raises(UnavailableError) as told:
        await retrying(fresh_database, work)
    assert (told.value.code, tries) == ("contended", 3)


async def test_the_server_is_told_the_limits_of_the_service(
    fresh_database: Database, settings: Settings
) -> None:
    wanted = {
        "application_name": "huike",
        "statement_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",
        "client_connection_check_interval": "1s",
        "TimeZone": "UTC",
        "jit": "off",
    }
    async with fresh_database.transaction() as session:
        rows = await session.execute(
            text("SELECT name, current_setting(name) FROM unnest(CAST(:n AS text[])) name"),
            {"n": list(wanted)},
        )
        assert {row[0]: row[1] for row in rows} == wanted
    pool: Any = fresh_database.engine.pool
    assert (pool._timeout, pool._recycle, pool._pre_ping) == (1.0, 600, True)
