"""The user account that an embedded server runs under, and what it can reach."""

import os
import pwd
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REMEDIES: Final = (
    "put the data elsewhere with HUIKE_DATA_DIR, or use a PostgreSQL server of your own with "
    "HUIKE_DATABASE_URL"
)


class EmbeddedPostgresError(Exception):
    """The embedded server can't be started, reached or stopped; the message says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that runs the server; ``switch`` when we are root and become it."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, both outputs together in ``stdout``. Raises: OSError."""
        return subprocess.run(  # noqa: S603 - our own programs, no shell reads the paths
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            # The current folder may be one that this user can't enter.
            cwd="/",
            env=clean_environment() if env is None else env,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
            umask=0o077,
        )

    def own(self, path: Path) -> None:
        """Give a folder that we made to this user alone."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700)

    def first_closed(self, folders: Sequence[Path]) -> Path | None:
        """Return the first folder that this user can't enter, by really trying, else None."""
        script = 'for folder do [ -x "$folder" ] || { printf %s "$folder"; exit 1; }; done'
        answer = self.run(["/bin/sh", "-c", script, "sh", *folders])
        return None if answer.returncode == 0 else Path(os.fsdecode(answer.stdout))


def account_for(data: Path, run_as: str) -> Account:
    """Choose who runs the server: ourselves, or for root the data's owner, else ``run_as``."""
    uid = os.geteuid()
    owner = data.stat() if data.exists() else None
    if uid != 0:
        if owner is not None and owner.st_uid != uid:
            raise EmbeddedPostgresError(
                f"{data} belongs to {_user_name(owner.st_uid)} and we are {_user_name(uid)}: "
                "start as its owner or as root, or put the data elsewhere with HUIKE_DATA_DIR."
            )
        return Account(_user_name(uid), uid, os.getegid(), switch=False)
    if owner is not None and owner.st_uid != 0:
        return Account(_user_name(owner.st_uid), owner.st_uid, owner.st_gid, switch=True)
    try:
        entry = pwd.getpwnam(run_as)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and there is no user {run_as!r} to run it as."
        ) from None
    if entry.pw_uid == 0:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and {run_as!r} is root: name another user."
        )
    return Account(run_as, entry.pw_uid, entry.pw_gid, switch=True)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def make_reachable(folder: Path, account: Account) -> None:
    """Create the folder where the account can enter it; nothing changes where it can't."""
    if not account.switch:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    above = list(reversed(folder.parents))
    closed = account.first_closed([path for path in above if path.exists()])
    if closed is not None:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL runs as {account.name}, and {account.name} can't enter "
            f"{closed}, in which {folder} lies. Nothing was changed; {REMEDIES}."
        )
    for path in (*above, folder):
        if not path.exists():
            path.mkdir()
            # Said again since the umask may have taken it away.
            path.chmod(0o711)
    if account.first_closed([folder]) is not None:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)


def clean_environment() -> dict[str, str]:
    """Return what the programs may know of our environment: no PG… variable, no language, UTC."""
    return {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC", "LC_ALL": "C"}


def capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
