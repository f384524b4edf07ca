"""The engine, the unit of work, and the map from database failures to our errors.

One request, one transaction: :meth:`Database.transaction` is the only place that commits.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import asyncpg
import orjson
import structlog
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlmodel import SQLModel

from app.core.config import Settings
from app.core.errors import (
    ConflictError,
    HuikeError,
    InvalidInputError,
    RetryTransactionError,
    UnavailableError,
)

log = structlog.get_logger()

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata
metadata.naming_convention = NAMING_CONVENTION

MAXIMUM_TRANSACTION_TRIES = 3
Result = TypeVar("Result")


def dump_json(value: Any) -> str:
    """Serialize for a jsonb column; dates as ISO 8601, UUIDs as text, no Decimal."""
    return orjson.dumps(value).decode()


_SETTINGS = "huike.settings"


class Database:
    """An engine with the service's time limits, and the unit of work over it."""

    def __init__(
        self,
        url: str,
        settings: Settings,
        *,
        statement_timeout_seconds: float | None = None,
        application_name: str = "huike",
    ) -> None:
        statement_timeout = statement_timeout_seconds or settings.statement_timeout_seconds
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            url,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_timeout=settings.pool_timeout_seconds,
            pool_pre_ping=True,
            pool_recycle=600,
            # A failed statement is logged; what it carried may be somebody's phone.
            hide_parameters=True,
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
            connect_args={
                "timeout": 3,
                "server_settings": {
                    "application_name": application_name,
                    "statement_timeout": str(int(statement_timeout * 1000)),
                    "idle_in_transaction_session_timeout": "15000",
                    "client_connection_check_interval": "1000",
                    "timezone": "UTC",
                    "jit": "off",
                },
            },
        )
        self.session_info = {_SETTINGS: settings}
        self._sessions = async_sessionmaker(
            self.engine, expire_on_commit=False, autoflush=False, info=self.session_info
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Open a session, commit when the block ends well, roll back when it raises.

        Raises:
            HuikeError: a database failure, mapped by :func:`mapped_failure`.
            RetryTransactionError: run the whole block again.
        """
        with mapping_failures():
            async with self._sessions() as session, session.begin():
                yield session

    async def ping(self) -> None:
        """Ask the server for an answer.

        Raises:
            UnavailableError: it gave none.
        """
        async with self.transaction() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def settings_of(session: AsyncSession) -> Settings:
    """Return the settings of the database that a session was opened on.

    For what is read everywhere and depends on them, such as a card with its next birthday.
    """
    settings: Settings = session.info[_SETTINGS]
    return settings


async def raw_connection(session: AsyncSession) -> "asyncpg.Connection[Any]":
    """Return the asyncpg connection of the session's transaction, which is certainly open.

    Until SQLAlchemy has run a statement its asyncpg connection is in no transaction, so one is
    run first; what is then done on the raw connection is rolled back with the session.
    """
    connection = await session.connection()
    raw = await connection.get_raw_connection()
    driver: asyncpg.Connection[Any] | None = raw.driver_connection
    assert driver is not None
    if not driver.is_in_transaction():
        await session.execute(text("SELECT 1"))
    return driver


async def retrying(database: Database, work: Callable[[AsyncSession], Awaitable[Result]]) -> Result:
    """Run ``work`` in a transaction of its own, again when PostgreSQL asks for it (≤ 3 tries).

    Raises:
        UnavailableError: it asked for it three times.
    """
    for _ in range(MAXIMUM_TRANSACTION_TRIES):
        try:
            async with database.transaction() as session:
                return await work(session)
        except RetryTransactionError:
            log.warning("transaction_retried")
    raise contended()


def contended() -> UnavailableError:
    """Return the error for a transaction that kept colliding with others."""
    return UnavailableError(
        "Others changed the same records at the same moment, several times over.",
        code="contended",
        detail_zh="其他人正在同时修改相同的记录，请稍后重试。",
    )


@contextmanager
def mapping_failures() -> Iterator[None]:
    """Turn the four families of database failures into our errors.

    ``DBAPIError`` (with a SQLSTATE), SQLAlchemy's pool ``TimeoutError``, the builtin
    ``TimeoutError`` and bare ``OSError``.
    """
    try:
        yield
    except (HuikeError, RetryTransactionError):
        raise
    except (
        DBAPIError,
        PoolTimeoutError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        TimeoutError,
        OSError,
    ) as failure:
        raise mapped_failure(failure) from failure


def sqlstate_of(failure: BaseException) -> str | None:
    """Return the SQLSTATE of a failure, if it has one.

    It is PostgreSQL's, or 22000 where asyncpg itself refused a value that its parameter can't hold.
    """
    for part in _layers(failure):
        state = getattr(part, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def constraint_of(failure: BaseException) -> str | None:
    """Return the name of the violated constraint; on a distributed server it may be missing."""
    for part in _layers(failure):
        name = getattr(part, "constraint_name", None)
        if isinstance(name, str):
            return name
    return None


def _layers(failure: BaseException) -> Iterator[BaseException]:
    """Yield the driver's errors that a failure wraps, the outermost first."""
    seen: BaseException | None = getattr(failure, "orig", failure)
    while seen is not None:
        yield seen
        seen = seen.__cause__


def mapped_failure(failure: BaseException) -> Exception:
    """Return the error that a database failure means to the caller."""
    if isinstance(failure, PoolTimeoutError):
        return UnavailableError(
            "All database connections are busy.",
            code="pool-exhausted",
            detail_zh="数据库连接已全部占用。",
        )
    state = sqlstate_of(failure)
    if state is None:
        log.warning("database_unreachable", error=type(getattr(failure, "orig", failure)).__name__)
        return UnavailableError(
            "The database cannot be reached.",
            code="database-unavailable",
            retry_after_seconds=2,
            detail_zh="无法连接数据库。",
        )
    if state in {"40001", "40P01"}:
        return RetryTransactionError()
    for prefix, make in _FAILURES:
        if state.startswith(prefix):
            return make(failure, state)
    log.error("database_failure_unmapped", sqlstate=state, exc_info=failure)
    return UnavailableError(
        "The database could not do it.", code="database-error", detail_zh="数据库未能完成操作。"
    )


def _unavailable(
    code: str, detail: str, detail_zh: str, seconds: int = 1
) -> Callable[[BaseException, str], Exception]:
    return lambda _failure, _state: UnavailableError(
        detail, code=code, retry_after_seconds=seconds, detail_zh=detail_zh
    )


def _conflict(failure: BaseException, _state: str) -> Exception:
    constraint = constraint_of(failure)
    return ConflictError(
        "It contradicts what is stored already.",
        detail_zh="与已有数据冲突。",
        members={"constraint": constraint} if constraint else {},
    )


def _hole_in_validation(failure: BaseException, state: str) -> Exception:
    log.error("data_error_reached_database", sqlstate=state, constraint=constraint_of(failure))
    return InvalidInputError(
        "A value is not acceptable to the database.", detail_zh="数据库不接受其中的某个值。"
    )


# The first prefix of the SQLSTATE that fits decides.
_FAILURES: tuple[tuple[str, Callable[[BaseException, str], Exception]], ...] = (
    ("23505", _conflict),
    ("23P01", _conflict),
    ("23503", _conflict),
    ("23514", _hole_in_validation),
    ("22", _hole_in_validation),
    ("25006", _unavailable("database-read-only", "The database takes no changes now.",
                           "数据库目前只读。", 5)),
    ("53100", _unavailable("database-full", "The database's disk is full.",
                           "数据库磁盘已满。", 30)),
    ("53300", _unavailable("pool-exhausted", "The database takes no more connections.",
                           "数据库连接数已满。")),
    ("53", _unavailable("database-overloaded", "The database lacks resources.",
                        "数据库资源不足。", 5)),
    ("57014", _unavailable("database-too-slow", "The database took too long.",
                           "数据库响应超时。")),
    ("55P03", _unavailable("database-too-slow", "A lock was not to be had in time.",
                           "等待锁超时。")),
    ("25P03", _unavailable("database-too-slow", "The transaction stood idle for too long.",
                           "事务空闲过久。")),
    ("57P", _unavailable("database-unavailable", "The database is stopping or starting.",
                         "数据库正在停止或启动。", 2)),
    ("08", _unavailable("database-unavailable", "The connection to the database was lost.",
                        "数据库连接已断开。", 2)),
)  # fmt: skip
