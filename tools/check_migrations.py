"""Run every migration up, down and up again on a throw-away server, and lint its SQL.

1. up from empty, as the owner role, with the service's role there to be granted its rights;
2. no drift between the migrations and the models (``alembic check``);
3. down to nothing: no relation, type or function of ours is left;
4. up again;
5. squawk on the SQL of each revision.
"""

import asyncio
import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from app.core.embedded_postgres import EmbeddedServer, ensure_database, temporary_server
from app.core.migrations import alembic_config

ROOT: Final = Path(__file__).resolve().parents[1]
DATABASE: Final = "check_migrations"
OWNER: Final = "huike_owner"
SERVICE: Final = "huike_service"
OLDEST_POSTGRESQL: Final = "15"

# Squawk's rules that say nothing here, each with the reason.
EXCLUDED_RULES: Final = {
    "prefer-robust-stmts": "each migration is one transaction, so there is no half-done state",
    "prefer-bigint-over-int": "integers count or number few things; ids are UUIDs, sums are wider",
}
# Rules that one revision may break, each with the reason.
EXCLUDED_IN: Final[dict[str, dict[str, str]]] = {
    "0002": {"prefer-identity": "the tables are pgqueuer's, and as its library expects them"},
    "0005": {"ban-drop-constraint": "lists of codes get longer: each is promised anew at once"},
    "0019": {"ban-drop-constraint": "lists of codes get longer: each is promised anew at once"},
    "0016": {
        "prefer-bigint-over-smallint": "places in a name and ranks of readings; rows are many"
    },
}
# Alembic prints its own table with the first revision; what that looks like is not up to us.
ALEMBIC_TABLE: Final = re.compile(r"CREATE TABLE alembic_version \(.*?\);\n", re.DOTALL)

LEFT_OVERS: Final = """
    SELECT 'relation ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
      AND relname <> 'alembic_version'
    UNION ALL
    SELECT 'type ' || typname FROM pg_type
    WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
    UNION ALL
    SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    ORDER BY 1
"""


async def left_overs(server: EmbeddedServer) -> list[str]:
    """Return what stands in the database beside Alembic's own table."""
    connection = await asyncpg.connect(server.dsn(DATABASE, "postgres"))
    try:
        return [row[0] for row in await connection.fetch(LEFT_OVERS)]
    finally:
        await connection.close()


async def run_both_ways() -> list[str]:
    """Return the problems of running the migrations; none is an empty list."""
    async with temporary_server(fsync=False) as server:
        await ensure_database(server, database=DATABASE, owner=OWNER, service=SERVICE)
        config = alembic_config(server.url(DATABASE, OWNER), service_role=SERVICE)
        config.stdout = io.StringIO()
        # Alembic's environment runs a loop of its own, so it gets a thread of its own.
        await asyncio.to_thread(command.upgrade, config, "head")
        first = await left_overs(server)
        try:
            await asyncio.to_thread(command.check, config)
        except CommandError as failure:
            return [f"drift: {failure}"]
        await asyncio.to_thread(command.downgrade, config, "base")
        problems = [f"left behind by the downgrade: {name}" for name in await left_overs(server)]
        await asyncio.to_thread(command.upgrade, config, "head")
        if not problems and await left_overs(server) != first:
            problems.append("the second way up made something else than the first")
        return problems


def sql_of(config: Config, down: str, up: str) -> str:
    """Return the SQL of one revision as Alembic prints it."""
    config.output_buffer = printed = io.StringIO()
    command.upgrade(config, f"{down}:{up}", sql=True)
    return ALEMBIC_TABLE.sub("", printed.getvalue())


def lint_sql() -> list[str]:
    """Return squawk's complaints about each revision; none is an empty list."""
    config = alembic_config("postgresql+asyncpg://", service_role=SERVICE)
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for script in ScriptDirectory.from_config(config).walk_revisions():
            sql = Path(folder) / f"{Path(script.path).stem}.sql"
            down = script.down_revision
            previous = down if isinstance(down, str) else "base"
            sql.write_text(sql_of(config, previous, script.revision), encoding="utf-8")
            excluded = [*EXCLUDED_RULES, *EXCLUDED_IN.get(script.revision, ())]
            finished = subprocess.run(
                [
                    *(str(Path(sys.executable).parent / "squawk"), sql.name),
                    *("--pg-version", OLDEST_POSTGRESQL, "--exclude", ",".join(excluded)),
                    *("--reporter", "gcc"),
                ],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if finished.returncode:
                problems += (finished.stdout + finished.stderr).strip().splitlines()
    return problems


def main() -> int:
    """Return 0 when the migrations hold, else say what does not and return 1."""
    problems = lint_sql() + asyncio.run(run_both_ways())
    for problem in problems:
        print(f"migrations: {problem}", file=sys.stderr)
    if not problems:
        print("migrations: up, no drift, down, up, and squawk has nothing to say")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
