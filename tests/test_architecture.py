"""What the import contracts cannot say: who may commit, know SQL, clocks, frameworks."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[1] / "app"
FOLDERS = {
    "cli", "core", "demo", "integrations", "jobs", "locale", "models", "queries", "routers",
    "rules",
    "schemas", "services", "vocabulary", "web",
}  # fmt: skip
FILES = {"__init__.py", "__main__.py", "main.py"}
# The model fit is the one rule that may use numbers' own libraries.
RULE_LIBRARIES = {"buying_model.py": {"numpy", "scipy"}}
SQL_WORDS = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH ", "LOCK TABLE ")
SQL_BUILDERS = {"select", "insert", "update", "delete", "text", "func", "exists"}
CLOCKS = {
    *(f"datetime.{kind}.{name}" for kind in ("datetime", "date") for name in ("now", "today")),
    "datetime.datetime.utcnow",
    *(
        f"time.{name}{suffix}"
        for name in ("time", "monotonic", "perf_counter", "process_time")
        for suffix in ("", "_ns")
    ),
    "time.localtime", "time.gmtime", "time.strftime", "time.ctime",
}  # fmt: skip
MAY_READ_CLOCKS = {"core/clock.py"}
MONEY_WORDS = {
    "amount", "cost", "costed", "discount", "gross", "margin", "money", "net", "price", "refunded",
    "spend", "total",
}  # fmt: skip


def modules(*folders: str) -> list[Path]:
    """Return the Python files of these folders of the application, or of all of it."""
    places = [APP / folder for folder in folders] or [APP]
    return sorted(path for place in places for path in place.rglob("*.py"))


def tree_of(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Return the full names of imported modules, wherever in the file they are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def name_of(path: Path) -> str:
    """Name a test case after its file."""
    return path.relative_to(APP).as_posix()


def strangers_to_a_rule(path: Path) -> set[str]:
    """Return what a rule imports beyond the standard library, the vocabulary and other rules."""
    allowed = sys.stdlib_module_names | RULE_LIBRARIES.get(path.name, set())
    return {
        name
        for name in imports_of(tree_of(path))
        if name.split(".")[0] not in allowed
        and not name.startswith(("app.vocabulary", "app.rules"))
    }


def awaited_in(path: Path) -> list[str]:
    """Return the kinds of what is asynchronous in a file."""
    return [
        type(node).__name__
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]


def clocks_read_in(path: Path) -> list[str]:
    """Return where a file reads a clock, by any name it gives to one.

    Calling ours, ``clock.now()``, is not it; neither is mentioning a function without its module.
    """
    tree = tree_of(path)
    names = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    } | {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, _, rest = ast.unparse(node).partition(".")
            full = f"{names.get(first, first)}.{rest}".rstrip(".")
            if full in CLOCKS:
                found.append(full)
    return found


def frameworks_in(path: Path) -> set[str]:
    """Return what a file imports of the web framework."""
    return {
        name for name in imports_of(tree_of(path)) if name.split(".")[0] in {"fastapi", "starlette"}
    }


def commits_in(path: Path) -> list[int]:
    """Return the lines on which a file commits."""
    return [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]


def sql_in(path: Path) -> set[str]:
    """Return the builders of SQL that a file imports, and the beginnings of its SQL texts."""
    tree = tree_of(path)
    builders = {
        name
        for name in imports_of(tree)
        if name.split(".")[0] in {"sqlalchemy", "sqlmodel"} and name.split(".")[-1] in SQL_BUILDERS
    }
    texts = {
        node.value.strip()[:40]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.strip().startswith(SQL_WORDS)
    }
    return builders | texts


def floats_in(path: Path) -> list[str]:
    """Return columns of binary numbers, and amounts that are annotated or converted as one."""
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"Float", "Double", "REAL", "DOUBLE"}:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
            if "float" in ast.unparse(node.annotation) and MONEY_WORDS & set(name.split("_")):
                found.append(f"{name}: {ast.unparse(node.annotation)}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "float":
            said = "_".join(ast.unparse(part) for part in node.args)
            words = set("".join(c if c.isalnum() else "_" for c in said).split("_"))
            if MONEY_WORDS & words:
                found.append(ast.unparse(node))
    return found


def test_the_application_consists_of_the_folders_it_is_said_to() -> None:
    found = {path.name for path in APP.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert found == FOLDERS
    assert {path.name for path in APP.glob("*.py")} <= FILES


@pytest.mark.parametrize("path", modules("rules"), ids=name_of)
def test_a_rule_imports_the_standard_library_the_vocabulary_and_other_rules_only(
    path: Path,
) -> None:
    assert strangers_to_a_rule(path) == set()


@pytest.mark.parametrize("path", modules("rules"), ids=name_of)
def test_a_rule_awaits_nothing(path: Path) -> None:
    assert awaited_in(path) == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_clocks_are_read_in_one_place_only(path: Path) -> None:
    assert clocks_read_in(path) == [] or name_of(path) in MAY_READ_CLOCKS


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_the_web_framework_is_known_to_main_web_and_routers_only(path: Path) -> None:
    place = path.relative_to(APP).parts[0]
    assert frameworks_in(path) == set() or place in {"main.py", "web", "routers"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nobody_commits_but_the_unit_of_work(path: Path) -> None:
    assert commits_in(path) == [] or path.relative_to(APP).parts[0] == "core"


@pytest.mark.parametrize("path", modules("routers", "jobs"), ids=name_of)
def test_routers_and_jobs_build_no_sql(path: Path) -> None:
    assert sql_in(path) == set()


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_money_is_never_a_float(path: Path) -> None:
    assert floats_in(path) == []


BAD = {
    "awaits": (awaited_in, "async def f(): await g()"),
    "imports a table": (strangers_to_a_rule, "from app.models import Customer"),
    "imports late": (strangers_to_a_rule, "def f():\n    import sqlalchemy"),
    "now": (clocks_read_in, "from datetime import datetime\ndatetime.now(UTC)"),
    "now of the module": (clocks_read_in, "import datetime as dt\ndt.datetime.now()"),
    "today": (clocks_read_in, "from datetime import date as day\nday.today()"),
    "time": (clocks_read_in, "import time\ntime.time()"),
    "time by another name": (clocks_read_in, "from time import monotonic as m\nm()"),
    "time as a value": (clocks_read_in, "import time\ndef f(clock=time.perf_counter): ..."),
    "framework": (frameworks_in, "import fastapi.routing"),
    "framework's base": (frameworks_in, "from starlette.requests import Request"),
    "commits": (commits_in, "async def f(session):\n    await session.commit()"),
    "builds SQL": (sql_in, "from sqlalchemy import select"),
    "holds SQL": (sql_in, "Q = '''\n    DELETE FROM customer\n'''"),
    "a column": (floats_in, "import sqlalchemy as sa\nx = sa.Column(sa.Float)"),
    "a field": (floats_in, "class A:\n    net_amount: float"),
    "an optional field": (floats_in, "class A:\n    unit_price: float | None = None"),
    "a parameter": (floats_in, "def f(amount: float): ..."),
    "a conversion": (floats_in, "x = float(row.amount)"),
}
FINE = {
    "our clock": (clocks_read_in, "from app.core import clock\nclock.now(); clock.today(zone)"),
    "a span": (clocks_read_in, "from datetime import time\ntime(2, 0)"),
    "sleep": (clocks_read_in, "import time\ntime.sleep(1)"),
    "the standard library": (strangers_to_a_rule, "from decimal import Decimal"),
    "a timeout": (floats_in, "def f(timeout_seconds: float): ..."),
    "a sentence": (sql_in, "x = 'Select one of these.'"),
    "an exact amount": (floats_in, "class A:\n    amount: Decimal"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_check_notices_what_it_is_there_for(name: str, tmp_path: Path) -> None:
    check, source = BAD[name]
    path = tmp_path / "sample.py"
    path.write_text(source, encoding="utf-8")
    assert check(path)


@pytest.mark.parametrize("name", FINE)
def test_a_check_leaves_alone_what_is_fine(name: str, tmp_path: Path) -> None:
    check, source = FINE[name]
    path = tmp_path / "sample.py"
    path.write_text(source, encoding="utf-8")
    assert not check(path)
