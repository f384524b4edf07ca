"""An address is spelled for asyncpg in one place."""

import re
from pathlib import Path

import pytest

from app.core.dsn import plain_dsn

APP = Path(__file__).resolve().parents[2] / "app"


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("postgresql+asyncpg://o%40x:p@h/a%2Fb?port=1", "postgresql://o%40x:p@h/a%2Fb?port=1"),
        ("postgresql+asyncpg://u@/db?host=%2Frun", "postgresql://u@/db?host=%2Frun"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
    ],
)
def test_only_the_scheme_changes(address: str, plain: str) -> None:
    assert plain_dsn(address) == plain


def test_nobody_else_rewrites_addresses() -> None:
    rewriting = re.compile(r"replace\(\s*[\"']postgresql\+asyncpg")
    found = {
        path.name
        for path in APP.rglob("*.py")
        if rewriting.search(path.read_text(encoding="utf-8"))
    }
    assert found == set()
