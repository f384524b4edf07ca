"""What the import contracts cannot say: who may commit, know SQL, clocks, frameworks."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[1] / "app"
FOLDERS = {
    "core", "demo", "integrations", "jobs", "locale", "models", "queries", "routers", "rules",
    "schemas", "services", "web",
}  # fmt: skip
FILES = {"__init__.py", "__main__.py", "cli.py", "main.py", "vocabulary.py"}
# The model fit is the one rule that may use numbers' own libraries.
RULE_LIBRARIES = {"buying_model.py": {"numpy", "scipy"}}
SQL_WORDS = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH ", "LOCK TABLE ")
SQL_BUILDERS = {"select", "insert", "update", "delete", "text", "func", "exists"}


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


def test_the_application_consists_of_the_folders_it_is_said_to() -> None:
    found = {path.name for path in APP.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert found == FOLDERS
    assert {path.name for path in APP.glob("*.py")} <= FILES


@pytest.mark.parametrize("path", modules("rules"), ids=name_of)
def test_a_rule_imports_the_standard_library_the_vocabulary_and_other_rules_only(
    path: Path,
) -> None:
    allowed = sys.stdlib_module_names | RULE_LIBRARIES.get(path.name, set())
    strangers = {
        name
        for name in imports_of(tree_of(path))
        if name.split(".")[0] not in allowed
        and not name.startswith(("app.vocabulary", "app.rules"))
    }
    assert strangers == set()


@pytest.mark.parametrize("path", modules("rules"), ids=name_of)
def test_a_rule_awaits_nothing_and_asks_no_clock(path: Path) -> None:
    found = [
        type(node).__name__
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
        or (isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"})
    ]
    assert found == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_the_web_framework_is_known_to_main_web_and_routers_only(path: Path) -> None:
    place = path.relative_to(APP).parts[0]
    frameworks = {
        name for name in imports_of(tree_of(path)) if name.split(".")[0] in {"fastapi", "starlette"}
    }
    assert frameworks == set() or place in {"main.py", "web", "routers"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nobody_commits_but_the_unit_of_work(path: Path) -> None:
    if path.relative_to(APP).parts[0] == "core":
        return
    commits = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]
    assert commits == []


@pytest.mark.parametrize("path", modules("routers", "jobs"), ids=name_of)
def test_routers_and_jobs_build_no_sql(path: Path) -> None:
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
    assert (builders, texts) == (set(), set())


@pytest.mark.parametrize("path", modules("services"), ids=name_of)
def test_a_service_reads_the_clock_through_the_clock_only(path: Path) -> None:
    assert "time" not in set(imports_of(tree_of(path)))


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_money_is_never_a_float(path: Path) -> None:
    columns = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in {"Float", "Double", "REAL"}
    ]
    assert columns == []


def test_the_checks_would_notice() -> None:
    """Show that the tests above can fail."""
    tree = ast.parse("import fastapi.routing\nfrom sqlalchemy import select\nsession.commit()")
    assert list(imports_of(tree)) == ["fastapi.routing", "sqlalchemy", "sqlalchemy.select"]
    assert any(isinstance(n, ast.Attribute) and n.attr == "commit" for n in ast.walk(tree))
