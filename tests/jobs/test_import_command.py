"""``huike import`` at a terminal of 80 columns: what it shows, what it asks, why it refuses."""

import io
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from app.core.config import Settings
from app.core.database import Database
from app.core.ids import new_id
from app.jobs import import_command as command
from app.vocabulary import ImportKind
from tests.support.world import World, build_world

FILE = (
    "姓名,手机,性别,门店,推荐人\n"
    "王一,13800138000,男,S01,\x1b[31m[red]张三\n"
    + "".join(f"李{n},12345,X,S01,\n" for n in range(7))
    + f"赵四,,,S01,{'很长的' * 30}\n"
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of cards with faults, shown at a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    file = tmp_path / "cards.csv"
    file.write_text(FILE, encoding="utf-8")
    return file


async def test_a_check_shows_columns_and_errors_and_is_gone_on_with_and_undone(
    fresh_database: Database, settings: Settings, path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    database = fresh_database
    await build_world(database)
    await command.import_file(database, settings, path, {"kind": "cards"}, confirm=lambda: False)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[red]" in shown
    table = [line for line in shown.splitlines() if line.startswith("│")]
    assert [line.split("│")[1].strip() for line in table if line.split("│")[1].strip()] == [
        "姓名", "手机", "性别", "门店", "推荐人",
    ]  # fmt: skip
    assert "not used 未使用" in shown
    assert "  7 × 手机: 电话号码无效 not a valid phone number (rows 3, 4, 5, 6, 7 …)" in shown
    assert "7 × 性别: 不是可识别的取值：女、男、其他" in shown
    assert "2 rows can be imported." in shown
    import_id = command.read_id(shown.split("GET /v1/imports/")[1].split("/")[0])
    assert f"huike import --errors {import_id}" in shown
    assert f"huike import --resume {import_id}" in shown

    await command.list_errors(database, import_id)
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 1 + 2 * 7
    assert listed[1].startswith("3,2,手机,bad-phone,refused,not a valid phone number,")

    await command.resume(database, settings, import_id, confirm=lambda: True)
    assert "2 rows imported.\n" in capsys.readouterr().out
    await command.undo(database, settings, import_id)
    assert "已撤销：移除 2 项。  Undone: 2 items removed." in capsys.readouterr().out


def test_what_stands_in_brackets_in_a_file_is_shown_as_it_is() -> None:
    seen = SimpleNamespace(
        file_name="[/a].csv",
        kind=ImportKind.CARDS,
        columns=[
            SimpleNamespace(name="[/书]", field="name"),
            SimpleNamespace(name="b", field=None),
        ],
        fields=[SimpleNamespace(name="name", zh="姓名")],
        sample=[["[/x]", "[red]限量[/red]", "beyond the names"]],
    )
    shown = io.StringIO()
    command._show(Console(file=shown, width=200), seen)  # type: ignore[arg-type]
    text = shown.getvalue()
    assert [part in text for part in ("[/a].csv", "[/书]", "[/x]", "[red]限量[/red]")] == [True] * 4
    assert "beyond" not in text


async def test_a_file_that_lacks_a_column_shows_what_there_is_and_names_the_field(
    fresh_database: Database, settings: Settings, path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    await build_world(fresh_database)
    path.write_text("单号,付款时间,应收款\nR1,2026-11-01,10\n", encoding="utf-8")
    body = {"kind": "purchases", "source": "till-1"}
    with pytest.raises(command.ImportCommandError):
        await command.import_file(fresh_database, settings, path, body, confirm=lambda: True)
    shown = capsys.readouterr().out
    assert "应收款" in shown
    assert "No column was found for: Amount (amount)." in " ".join(shown.split())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            {"kind": "purchases"},
            (
                "source: Purchases come from a till or web shop: name its code. "
                "购买记录须注明收银来源的编码。"
            ),
        ),
        (
            {"kind": "purchases", "source": "nowhere"},
            "source: There is no such source. 没有这个来源。",
        ),
        (
            {"kind": "cads", "on_existing": "merge"},
            (
                "kind: Must be one of 'cards', 'purchases' or 'interactions'. "
                "须为 cards、purchases、interactions 之一。\n"
                "on_existing: Must be one of 'skip', 'update' or 'error'. "
                "须为 skip、update、error 之一。"
            ),
        ),
    ],
)
async def test_a_refusal_says_which_field_and_why(
    database: Database, settings: Settings, world: World, path: Path,
    body: Mapping[str, object], why: str,
) -> None:  # fmt: skip
    with pytest.raises(command.ImportCommandError) as refused:
        await command.import_file(database, settings, path, body, confirm=lambda: True)
    assert str(refused.value) == why


async def test_an_import_that_is_not_there_is_refused_with_a_sentence(
    database: Database, settings: Settings
) -> None:
    for attempt in (
        command.undo(database, settings, new_id()),
        command.resume(database, settings, new_id(), confirm=lambda: True),
        command.list_errors(database, new_id()),
    ):
        with pytest.raises(command.ImportCommandError, match="There is no such thing"):
            await attempt
