"""Clients generated from docs/openapi.json, in Python and TypeScript, read a card."""

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.service import MEMBER_NUMBER, RunningService

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
PROGRAM = Path(__file__).parent / "read_card.mts"
TIMELINE_PROGRAM = Path(__file__).parent / "read_timeline.mts"
CLIENT = "huike_generated_client"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Generate a Python package from the document and import it."""
    folder = tmp_path_factory.mktemp("python")
    # Formatting it would need further tools, and says nothing about the document.
    (folder / "settings.yaml").write_text("post_hooks: []\n")
    run = subprocess.run(
        [
            Path(sys.executable).with_name("openapi-python-client"), "generate",
            "--path", DOCUMENT, "--output-path", folder / CLIENT, "--meta", "none",
            "--config", folder / "settings.yaml", "--fail-on-warning",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module(CLIENT)
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == CLIENT]:
        del sys.modules[name]


def module_of(client: ModuleType, name: str) -> Any:
    """Return a module of the generated client; it has no types at hand here."""
    return importlib.import_module(f"{client.__name__}.{name}")


def test_every_module_of_the_python_client_can_be_imported(python_client: ModuleType) -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(python_client.__path__, f"{python_client.__name__}.")
    ]
    operations = {name.rpartition(".")[2] for name in names if name.count(".") == 3}
    for name in names:
        importlib.import_module(name)
    paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
    assert operations >= {
        operation["operationId"] for path in paths.values() for operation in path.values()
    }


def test_the_python_client_signs_in_and_reads_a_card(
    python_client: ModuleType, service: RunningService
) -> None:
    client = module_of(python_client, "client").AuthenticatedClient(
        base_url=service.url, token=service.world.tokens["manager"]
    )
    get_customer = module_of(python_client, "api.customers.get_customer")
    with client:
        card = get_customer.sync(service.customer_id, client=client)
        answer = get_customer.sync_detailed(service.world.stores["S01"], client=client)

    assert type(card) is module_of(python_client, "models.card").Card
    assert (card.id, card.name, card.version) == (service.customer_id, "王小明", 1)
    assert [identity.value for identity in card.identities] == [MEMBER_NUMBER]
    assert card.tier.code == "main"
    assert type(answer.parsed) is module_of(python_client, "models.problem").Problem
    assert (answer.status_code, answer.parsed.type_) == (404, "/problems/not-found")


def test_the_python_client_tells_entries_of_a_timeline_apart_by_their_kind(
    python_client: ModuleType, service: RunningService
) -> None:
    client = module_of(python_client, "client").AuthenticatedClient(
        base_url=service.url, token=service.world.tokens["manager"]
    )
    list_timeline = module_of(python_client, "api.timeline.list_timeline")
    with client:
        page = list_timeline.sync(service.customer_id, client=client)
    models = module_of(python_client, "models")
    by_kind = {"purchase": models.TimelinePurchase, "tier_change": models.TimelineTierChange}
    assert {entry.kind for entry in page.items} == by_kind.keys()
    assert all(type(entry) is by_kind[entry.kind] for entry in page.items)
    assert [e.amount for e in page.items if e.kind == "purchase"] == ["1040.00"]


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate TypeScript types from the document; return the folder they lie in."""
    folder = tmp_path_factory.mktemp("typescript")
    run_node("openapi-typescript", DOCUMENT, "-o", folder / "api.d.ts")
    for program in (PROGRAM, TIMELINE_PROGRAM):
        shutil.copy(program, folder / program.name)
    return folder


def run_node(command: str, *arguments: str | Path, succeeds: bool = True) -> str:
    """Run a command of node_modules with the Node of this environment; return what it said."""
    executable = ROOT / "node_modules" / ".bin" / command
    assert executable.exists(), f"{command} is not installed; run: make node"
    run = subprocess.run(
        [executable, *arguments], env=node_environment(), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    said = run.stdout + run.stderr
    assert (run.returncode == 0) is succeeds, said
    return said


def node_environment() -> dict[str, str]:
    """Put the Node that came with this Python before any other."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def compile_strictly(program: Path, *, succeeds: bool = True) -> str:
    """Check a program's types as strictly as the compiler can."""
    types = ROOT / "node_modules" / "@types"
    return run_node(
        "tsc", "--strict", "--noEmit", "--noUncheckedIndexedAccess", "--module", "nodenext",
        "--target", "es2022", "--lib", "es2022,dom", "--allowImportingTsExtensions",
        "--typeRoots", types, "--types", "node", program, succeeds=succeeds,
    )  # fmt: skip


def test_a_program_with_the_typescript_types_compiles_strictly_and_reads_a_card(
    typescript: Path, service: RunningService
) -> None:
    program = typescript / PROGRAM.name
    compile_strictly(program)
    run = subprocess.run(
        [
            Path(sys.executable).with_name("node"), program, service.url,
            service.world.tokens["manager"], str(service.customer_id),
        ],
        env=node_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "name": "王小明", "tier": "main", "members": [MEMBER_NUMBER], "version": 1,
    }  # fmt: skip


def test_the_typescript_types_tell_entries_of_a_timeline_apart_by_their_kind(
    typescript: Path, service: RunningService
) -> None:
    program = typescript / TIMELINE_PROGRAM.name
    compile_strictly(program)
    run = subprocess.run(
        [
            Path(sys.executable).with_name("node"), program, service.url,
            service.world.tokens["manager"], str(service.customer_id),
        ],
        env=node_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert sorted(json.loads(run.stdout)) == ["new -> small", "sale 1040.00", "small -> main"]
    # What another kind has is no member of this one.
    wrong = typescript / "wrong_kind.mts"
    wrong.write_text(
        program.read_text(encoding="utf-8").replace("return entry.subject", "return entry.amount"),
        encoding="utf-8",
    )
    assert "Property 'amount' does not exist" in compile_strictly(wrong, succeeds=False)


def test_the_typescript_types_refuse_what_the_document_does_not_say(typescript: Path) -> None:
    program = typescript / "wrong.mts"
    right = (typescript / PROGRAM.name).read_text(encoding="utf-8")
    program.write_text(right.replace("card.tier;", "card.level;"), encoding="utf-8")
    said = compile_strictly(program, succeeds=False)
    assert "error TS2339" in said
    assert "Property 'level' does not exist" in said
