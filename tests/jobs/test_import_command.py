"""What ``huike import`` shows of a file."""

import io
from types import SimpleNamespace

from rich.console import Console

from app.jobs import import_command
from app.vocabulary import ImportKind


def test_what_stands_in_brackets_in_a_file_is_shown_as_it_is() -> None:
    seen = SimpleNamespace(
        file_name="[/a].csv",
        kind=ImportKind.CARDS,
        columns=[
            SimpleNamespace(name="[/书]", field="name"),
            SimpleNamespace(name="b", field=None),
        ],
        sample=[["[/x]", "[red]限量[/red]", "beyond the names"]],
    )
    shown = io.StringIO()
    import_command._show(Console(file=shown, width=200), seen)  # type: ignore[arg-type]
    text = shown.getvalue()
    assert [part in text for part in ("[/a].csv", "[/书]", "[/x]", "[red]限量[/red]")] == [True] * 4
    assert "beyond" not in text
