"""``huike run`` as a real process: started, stopped, killed, started again on the same data."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Final

import httpx
import pytest

from app.core import clock
from app.core.runtime import bound_socket

pytestmark = pytest.mark.slow

PROJECT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 30.0
SECOND_START_SECONDS: Final = 3.0


def lives(pid: int) -> bool:
    """Tell whether a process lives; one that ended and was not collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def free_port() -> int:
    with bound_socket("127.0.0.1", 0) as listener:
        return int(listener.getsockname()[1])


@dataclass
class Home:
    """A data folder, and the environment that points to it."""

    folder: Path

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "HUIKE" not in name}
        # A first start leaves bytecode for the second, as it does for everybody.
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return {
            **kept,
            "PYTHONPATH": str(PROJECT),
            "HUIKE_DATA_DIR": str(self.data_dir),
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def server_pid(self) -> int | None:
        """Return the number of the embedded server's process, if it runs."""
        try:
            recorded = (self.data_dir / "postgres" / "data" / "postmaster.pid").read_text()
        except FileNotFoundError:
            return None
        pid = int(recorded.split()[0])
        return pid if lives(pid) else None


class Run:
    """One ``huike run``, or another command that serves."""

    def __init__(self, home: Home, command: str = "run") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.said = home.folder / f"said-{self.port}"
        self.begun = clock.monotonic_seconds()
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", command, "--port", str(self.port)],
                cwd=home.folder,
                env=home.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def first_answer_seconds(self) -> float:
        """Wait for the first answered request; return the seconds since the start."""
        while clock.monotonic_seconds() - self.begun < START_SECONDS:
            assert self.process.poll() is None, self.text()
            try:
                answer = httpx.get(f"{self.url}/health/ready", timeout=START_SECONDS)
            except httpx.TransportError:
                sleep(0.01)
                continue
            if answer.status_code == 200:
                return clock.monotonic_seconds() - self.begun
        raise AssertionError(f"never ready: {self.text()}")

    def text(self) -> str:
        return self.said.read_text()

    def wait_for_text(self, words: str) -> str:
        """Wait until something was said; return everything that was said."""
        until = clock.monotonic_seconds() + START_SECONDS
        while words not in self.text():
            assert clock.monotonic_seconds() < until, self.text()
            assert self.process.poll() is None, self.text()
            sleep(0.02)
        return self.text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def sign_in(self, password: str) -> str:
        answer = httpx.post(
            f"{self.url}/v1/auth/token", data={"username": "manager", "password": password}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def knows(self, token: str) -> bool:
        answer = httpx.get(f"{self.url}/v1/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code == 200


@contextmanager
def running(home: Home, command: str = "run") -> Iterator[Run]:
    """Start ``huike run`` and wait for it; what still runs at the end of the block is killed."""
    run = Run(home, command)
    try:
        run.first_answer_seconds()
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """A data folder with the demo chain in it, which every account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="huike-run-")).resolve()
    folder.chmod(0o755)
    home = Home(folder)
    with running(home) as first:
        first.wait_for_text("Huike is ready.")
        assert first.stop() == 0, first.text()
    yield home
    pid = home.server_pid()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)


def password_of(home: Home) -> str:
    return (home.data_dir / "demo-password").read_text().strip()


def nothing_is_left(home: Home, run: Run) -> bool:
    bound_socket("127.0.0.1", run.port).close()
    return home.server_pid() is None and not lives(run.process.pid)


def test_a_start_says_where_everything_is_and_how_to_sign_in(home: Home) -> None:
    with running(home) as run:
        said = run.wait_for_text("Ctrl-C stops everything")
        assert run.stop() == 0

    password = password_of(home)
    for line in (
        f"{run.url}/docs",
        f"{run.url}/redoc",
        f"{run.url}/v1/reports/tier-distribution",
        f"Password of them all: {password}",
        "Demo sign-ins: admin, manager, marketing, auditor, store_manager, clerk, service",
    ):
        assert line in said
    assert re.search(r"webhook-signature: v1,[A-Za-z0-9+/]{43}=", said)
    assert run.text().rstrip().endswith("Huike has stopped.")


@pytest.mark.parametrize("name", ["demo-password", "secret-key"])
def test_what_is_secret_is_for_the_owner_alone(home: Home, name: str) -> None:
    assert stat.S_IMODE((home.data_dir / name).stat().st_mode) == 0o600


def test_a_second_start_answers_within_three_seconds_and_keeps_the_data(home: Home) -> None:
    with running(home) as run:
        token = run.sign_in(password_of(home))
        assert run.stop() == 0
    seconds = []
    for _ in range(3):
        again = Run(home)
        try:
            seconds.append(again.first_answer_seconds())
            assert again.knows(token)
            assert again.stop() == 0
        finally:
            again.process.kill()
            again.process.wait()

    # Where more wants to run than there are processors, everything takes that much longer.
    crowding = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert min(seconds) <= SECOND_START_SECONDS * crowding, (seconds, crowding)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_stops_service_worker_and_server_cleanly(
    home: Home, number: signal.Signals
) -> None:
    with running(home) as run:
        run.wait_for_text("worker_connected")
        assert home.server_pid() is not None

        code = run.stop(number)

    assert code == 0
    assert nothing_is_left(home, run)
    said = run.text()
    assert "Traceback" not in said
    assert said.index("worker_stopped") < said.index("Huike has stopped.")


def test_a_start_that_is_broken_off_leaves_nothing_behind(home: Home) -> None:
    run = Run(home)
    try:
        until = clock.monotonic_seconds() + START_SECONDS
        while home.server_pid() is None:
            assert clock.monotonic_seconds() < until
            sleep(0.005)
        code = run.stop()
    finally:
        run.process.kill()
        run.process.wait()

    assert code == 0, run.text()
    assert "Traceback" not in run.text()
    assert nothing_is_left(home, run)


def test_after_a_kill_of_the_service_the_next_start_adopts_the_server(home: Home) -> None:
    with running(home) as killed:
        token = killed.sign_in(password_of(home))
        orphan = home.server_pid()
        killed.stop(signal.SIGKILL)
    assert home.server_pid() == orphan is not None

    with running(home) as run:
        assert home.server_pid() == orphan
        assert run.knows(token)
        assert run.stop() == 0
    assert nothing_is_left(home, run)


def test_after_a_kill_of_service_and_server_the_next_start_recovers(home: Home) -> None:
    with running(home) as killed:
        token = killed.sign_in(password_of(home))
        server = home.server_pid()
        assert server is not None
        killed.stop(signal.SIGKILL)
        os.kill(server, signal.SIGKILL)

    with running(home) as run:
        assert run.knows(token)
        assert run.stop() == 0
    assert nothing_is_left(home, run)


def test_a_server_that_is_killed_comes_back_under_the_running_service(home: Home) -> None:
    with running(home) as run:
        run.wait_for_text("worker_connected")
        server = home.server_pid()
        assert server is not None
        os.kill(server, signal.SIGKILL)
        while home.server_pid() is not None:
            sleep(0.01)
        answer = httpx.get(f"{run.url}/health/ready", timeout=15)
        assert (answer.status_code, answer.headers["content-type"]) == (
            503,
            "application/problem+json",
        )

        begun = clock.monotonic_seconds()
        run.wait_for_text("embedded_server_restarted")
        while httpx.get(f"{run.url}/health/ready", timeout=15).status_code != 200:
            assert clock.monotonic_seconds() - begun < START_SECONDS
            sleep(0.05)

        assert run.stop() == 0, run.text()
    assert nothing_is_left(home, run)


def test_a_second_run_on_the_folder_is_refused_and_the_first_goes_on(home: Home) -> None:
    with running(home) as run:
        refused = home.command("run", "--port", str(free_port()))

        assert refused.returncode == 1
        assert f"already running on {home.data_dir} at {run.url}" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert httpx.get(f"{run.url}/health/ready").status_code == 200
        assert run.stop() == 0
    assert nothing_is_left(home, run)


def test_commands_join_the_running_server_and_leave_it_running(home: Home) -> None:
    with running(home) as run:
        server = home.server_pid()

        outcome = home.command("migrate")

        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout.startswith("Already at revision")
        assert home.server_pid() == server
        assert httpx.get(f"{run.url}/health/ready").status_code == 200
        assert run.stop() == 0


def test_commands_start_the_server_for_as_long_as_they_need_it(home: Home) -> None:
    assert home.server_pid() is None

    outcome = home.command("migrate")

    assert outcome.returncode == 0, outcome.stderr
    assert home.server_pid() is None


# --- The demo's sale --------------------------------------------------------------------------


def test_a_demo_sale_sent_to_the_running_service_lifts_its_customer_once(home: Home) -> None:
    with running(home) as run:
        # No address is given: the command finds the service that runs on the folder.
        first = home.command("demo-sale", "--send")
        second = home.command("demo-sale", "--send", "--url", run.url)
        assert run.stop() == 0

    answers = []
    for outcome in (first, second):
        assert outcome.returncode == 0, outcome.stderr
        status, _, body = outcome.stdout.partition("\n")
        assert status == "200 OK"
        answers.append(json.loads(body))
    assert [answer["status"] for answer in answers] == ["applied", "applied"]
    assert [answer["tier"]["before"] for answer in answers] == ["ordinary", "main"]
    assert [answer["tier"]["after"] for answer in answers] == ["main", "main"]
    assert [answer["tier"]["net_spend"] for answer in answers] == ["1026.00", "1084.00"]


def test_a_demo_sale_can_be_pasted_into_a_shell(home: Home) -> None:
    with running(home) as run:
        printed = home.command("demo-sale")
        sent = subprocess.run(
            ["sh", "-c", printed.stdout], capture_output=True, text=True, timeout=30, check=False
        )
        assert run.stop() == 0

    assert printed.stdout.startswith(f"curl -sS -X POST {run.url}/v1/pos/till-s01-1/events")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["status"] == "applied"


def test_a_demo_sale_that_nobody_takes_is_said_plainly(home: Home) -> None:
    outcome = home.command("demo-sale", "--send", "--url", f"http://127.0.0.1:{free_port()}")

    assert outcome.returncode == 1
    assert "does not answer" in outcome.stderr
    assert "Is Huike running?" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_loading_the_demo_chain_again_changes_nothing(home: Home) -> None:
    before = home.command("demo")
    after = home.command("demo")

    assert before.returncode == 0, before.stderr
    assert before.stdout == after.stdout
    assert before.stdout.startswith("The demo chain is there: 2231 customers, ")
    assert f"Password of them all: {password_of(home)}" in before.stdout
