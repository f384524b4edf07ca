"""What turns values into cells."""

from zoneinfo import ZoneInfo

from app.core.ids import new_id
from app.services.exporting.tables import Scene


def test_a_store_that_was_opened_while_a_file_is_written_breaks_nothing_off() -> None:
    known, opened = new_id(), new_id()
    scene = Scene("zh", ZoneInfo("Asia/Shanghai"), {known: ("S01", "湖滨店")}, {}, {})
    told = [(scene.store_code(one), scene.store_name(one)) for one in (known, opened, None)]
    assert told == [("S01", "湖滨店"), (None, None), (None, None)]
