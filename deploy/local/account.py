"""PostgreSQL refuses to run as root: the unprivileged account, and places that it can reach."""

import hashlib
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from deploy.local.processes import Account, ServerError

NAME = "nusabus"
SHARED = Path("/var/lib/nusabus")
ORIGIN = "origin"  # a file that names the folder whose data lie here


def unprivileged() -> Account | None:
    """The account for programs that refuse to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _create()
    return Account(entry.pw_uid, entry.pw_gid)


def _create() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--home-dir", str(SHARED)]
    command += ["--shell", "/usr/sbin/nologin", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(
            f"PostgreSQL does not run as root and the account {NAME} cannot be created "
            f"({error}): run this as an ordinary user, or set NUSABUS_DATABASE_URL"
        ) from None
    return pwd.getpwnam(NAME)


def reachable(path: Path, account: Account | None) -> bool:
    """Whether the account can enter this folder or run this program, by trying it."""
    if account is None:
        return True
    tried = subprocess.run(
        ["/usr/bin/test", "-x", str(path)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        check=False,
    )
    return tried.returncode == 0


def data_folder(folder: Path, account: Account | None) -> Path:
    """Where a server's data for `folder` go: the folder itself, or a place named after it.

    A private folder above (a home of mode 0700) stays as it is: the data then lie under
    `/var/lib/nusabus`, which everybody may enter.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if reachable(folder, account):
        return folder
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    place = SHARED / digest
    place.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)
    place.chmod(0o755)
    (place / ORIGIN).write_text(str(folder.resolve()))
    return place


def origin_of(place: Path) -> Path | None:
    """The folder for which `data_place` made this place; None when it did not."""
    try:
        return Path((place / ORIGIN).read_text())
    except OSError:
        return None


def program_folder(package: Path, version: str, account: Account | None) -> Path:
    """The folder of PostgreSQL's programs in the wheel's package; in a copy of it where needed.

    The programs look for their libraries in the folder `<package>.libs` beside the package.
    """
    programs = Path("pginstall18", "bin")
    if all(reachable(package / programs.parent / each, account) for each in ("bin/psql", "share")):
        return package / programs
    place = SHARED / f"postgresql-{version}"
    if not place.exists():
        SHARED.mkdir(parents=True, exist_ok=True)
        SHARED.chmod(0o755)
        fresh = SHARED / f".postgresql-{version}-{os.getpid()}"
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(package / programs.parent, fresh / package.name / programs.parent)
        shutil.copytree(libraries, fresh / libraries.name)
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            fresh.rename(place)
        except OSError:  # another process was faster
            shutil.rmtree(fresh)
    return place / package.name / programs
