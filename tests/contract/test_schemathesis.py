"""Schemathesis against a running service: whatever it sends, the document said what comes back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import RunningService

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MAXIMUM_SECONDS = 120
SHOWN_CHARACTERS = 12_000


@pytest.mark.slow
@pytest.mark.timeout(MAXIMUM_SECONDS + 60)
def test_no_input_gets_an_answer_that_the_document_does_not_promise(
    service: RunningService, tmp_path: Path
) -> None:
    world = service.world
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PYTHONPATH": str(ROOT),
        "HUIKE_FUZZ_TOKEN": world.tokens["admin"],
        "HUIKE_FUZZ_WORLD": json.dumps(
            {
                "till": "till-1",
                "secret": world.secrets["till-1"],
                "source_id": str(world.sources["till-1"]),
                "other_source_id": str(world.sources["till-2"]),
                "staff_id": str(world.staff["admin"]),
                "other_staff_id": str(world.staff["marketing"]),
            }
        ),
        "HUIKE_FUZZ_SPARE_TOKEN": world.tokens["auditor"],
    }
    run = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli",
            "--config-file", str(HERE / "schemathesis.toml"),
            "run", f"{service.url}/openapi.json", "--phases", "examples,coverage,fuzzing,stateful",
            "--checks", "all", "--seed", "20261121",
        ],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=MAXIMUM_SECONDS,
        check=False,
    )  # fmt: skip
    assert run.returncode == 0, (run.stdout + run.stderr)[-SHOWN_CHARACTERS:]
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert phase in run.stdout, run.stdout[-SHOWN_CHARACTERS:]
