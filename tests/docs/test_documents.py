"""What the documents name is there: files, headings, commands, tasks, routes, problems."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from app.cli import app as command_line
from app.core.config import Settings
from app.core.database import Database
from app.main import create_app
from app.schemas.pos_events import EventResult
from app.schemas.tiers import TierDistribution
from app.vocabulary import TierLevel
from app.web.problems import EVENT_PROBLEMS, PROBLEMS
from tests.docs.reading import ROOT, anchors_of, code_of, documents, links_of
from tools.settings_table import GUIDE, with_table

TEXTS = {path: path.read_text(encoding="utf-8") for path in documents()}
CODE = {path: "\n".join(code_of(text)) for path, text in TEXTS.items()}
# Variables that single commands, tests and compose.yaml read, and no setting of the service.
OTHER_VARIABLES = {
    "HUIKE_ADMIN_PASSWORD", "HUIKE_DEMO_PASSWORD", "HUIKE_OWNER_PASSWORD",
    "HUIKE_POSTGRES_PASSWORD", "HUIKE_SERVICE_PASSWORD", "HUIKE_TEST_DATABASE_URL",
}  # fmt: skip


def named(pattern: str) -> set[str]:
    """Return what the pattern's group finds in the code of all documents."""
    return {found for code in CODE.values() for found in re.findall(pattern, code, re.MULTILINE)}


def test_the_documents_are_there() -> None:
    names = {str(path.relative_to(ROOT)) for path in TEXTS}
    assert {
        "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md",
        "docs/guides/front-ends.md", "docs/guides/operations.md", "docs/guides/pos-senders.md",
    } <= names  # fmt: skip


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(path: Path) -> None:
    broken = []
    for link in links_of(TEXTS[path]):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        is_there = target.exists() and target.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors_of(TEXTS[target])):
            broken.append(link)
    assert broken == []


def test_decisions_are_numbered_without_a_gap_and_listed() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    listed = links_of(TEXTS[ROOT / "docs" / "architecture.md"])[-len(pages) :]
    assert listed == [f"adr/{page.name}" for page in pages]
    for page in pages:
        headings = re.findall(r"^#+ (.+)$", TEXTS[page], re.MULTILINE)
        title, *chapters = headings
        assert title.startswith(f"{int(page.name[:4])}. ")
        assert chapters == ["Context", "Decision", "Consequences", "What enforces it"], page.name
        assert len(TEXTS[page].splitlines()) <= 70, f"{page.name} is longer than a page"


def test_files_that_documents_name_exist() -> None:
    files = named(r"(?<![\w/.])((?:app|alembic|tests|tools|docs)/[\w./-]*\w(?:/|\b))")
    assert len(files) >= 30
    assert {file for file in files if not (ROOT / file).exists()} == set()


def test_commands_and_their_options_are_those_of_the_command_line() -> None:
    group = typer.main.get_command(command_line)
    assert isinstance(group, TyperGroup)
    commands = group.commands
    used = {
        (command, option)
        for code in CODE.values()
        for command, rest in re.findall(r"\bhuike ([a-z][a-z-]+)\b([^\n`#;&|]*)", code)
        for option in ["", *re.findall(r"(--[a-z-]+)", rest)]
    }
    known = {
        (name, option)
        for name, command in commands.items()
        for option in ["", "--help", *(name for part in command.params for name in part.opts)]
    }
    assert used - known == set()
    # The guide for operators describes each.
    described = set(re.findall(r"^\| `huike ([a-z-]+)` \|", TEXTS[GUIDE], re.MULTILINE))
    assert described == set(commands)


def test_tasks_are_those_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    tasks = set(re.findall(r"^\.PHONY: ([a-z][a-z0-9-]*)$", makefile, re.MULTILINE))
    used = named(r"^(?:`)?make ([a-z][a-z0-9-]*)")
    assert {"install", "run", "test", "check"} <= used
    assert used - tasks == set()


def test_variables_are_settings() -> None:
    settings = {f"HUIKE_{name.upper()}" for name in Settings.model_fields}
    assert named(r"\b(HUIKE_[A-Z][A-Z_]*[A-Z])\b") - OTHER_VARIABLES - settings == set()


def test_the_table_of_settings_is_made_from_the_settings() -> None:
    assert TEXTS[GUIDE] == with_table(TEXTS[GUIDE])
    assert "| `HUIKE_PORT` | `8000` |" in TEXTS[GUIDE]


def test_routes_are_those_of_the_service(settings: Settings) -> None:
    document = create_app(settings, Database("postgresql+asyncpg://", settings)).openapi()
    known = {
        (method.upper(), _any_value(path))
        for path, operations in document["paths"].items()
        for method in operations
    }
    used = {
        (method, _any_value(path))
        for route in named(r"\b((?:GET|POST|PATCH|DELETE) /(?:v1|health|metrics)[^\s?'\"]*)")
        for method, path in [route.split(" ")]
    }
    assert len(used) >= 15
    assert used - known == set()


def test_problems_are_those_of_the_service() -> None:
    codes = set(PROBLEMS) | set(EVENT_PROBLEMS)
    assert named(r"/problems/([a-z-]+)") - codes == set()
    # What stands behind a status is a code.
    text = "\n".join(TEXTS.values())
    behind_status = set(re.findall(r"\b[45]\d\d `([a-z]+(?:-[a-z]+)*)`", text))
    assert len(behind_status) >= 8
    assert behind_status - codes == set()


def test_nothing_of_one_machine_is_named() -> None:
    places = re.compile(r"(?<![\w.}])/(?:work|root|home|tmp|Users)/")
    assert [str(path) for path, text in TEXTS.items() if places.search(text)] == []


def _any_value(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def test_the_answers_in_the_readme_have_the_form_of_answers() -> None:
    blocks = re.findall(
        r"^```json\n(.*?)\n```$", TEXTS[ROOT / "README.md"], re.MULTILINE | re.DOTALL
    )
    distribution = TierDistribution.model_validate_json(blocks[0])
    answer = EventResult.model_validate_json(blocks[1])
    assert (distribution.customers, distribution.amount) == (2166, Decimal("581780.00"))
    assert sum(level.customers for level in distribution.levels) == 2166
    assert answer.tier is not None
    assert (answer.tier.before, answer.tier.after) == (TierLevel.ORDINARY, TierLevel.MAIN)
