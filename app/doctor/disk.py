"""On what kind of disk SQLite's file lies: one that forgets, or one whose locks cannot be trusted, loses the books."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.doctor.diagnosis import Diagnosis, ok, problem, warning

SUBJECT = "database's disk"

IN_MEMORY = {"tmpfs", "ramfs"}
IN_CONTAINER = {"overlay", "aufs"}
"""A container's own layer: gone with the container."""
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "lustre", "afs", "ncpfs"}
NETWORK_FUSE = {"fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.rclone", "fuse.gcsfuse", "fuse.ceph", "fuse.juicefs"}
"""SQLite's locks and its write-ahead log need shared memory of one machine: sqlite.org/wal.html, sqlite.org/lockingv3.html."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/mounts: where, and which file system."""

    point: str
    kind: str


def mount_of(path: str, mounts: str) -> Mount | None:
    """The mount that holds an absolute path, by the text of /proc/mounts; None when it says nothing about it.

    The longest mount point wins, and of equal ones the last: it lies on top.
    """
    best: Mount | None = None
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = _plain(parts[1])
        inside = path == point or path.startswith(point if point.endswith("/") else point + "/")
        if inside and (best is None or len(point) >= len(best.point)):
            best = Mount(point, parts[2])
    return best


def judge(path: str, mount: Mount | None) -> Diagnosis:
    """Whether the books are safe at this absolute path."""
    if mount is None:
        return ok(SUBJECT, f"{path}; this system does not tell on which kind of disk that is.")
    where = f"{path} is on {mount.kind} ({mount.point})"
    if mount.kind in IN_MEMORY:
        return problem(
            SUBJECT,
            f"{where}, which is memory: everything is lost at the next restart.",
            "Point TABSTOP_DATABASE_URL at a file on a disk.",
        )
    if mount.kind in IN_CONTAINER:
        return problem(
            SUBJECT,
            f"{where}, the container's own layer: everything is lost when the container is replaced.",
            "Mount a volume and point TABSTOP_DATABASE_URL at a file on it, such as sqlite:////data/tabstop.db.",
        )
    if mount.kind in NETWORK | NETWORK_FUSE:
        return problem(
            SUBJECT,
            f"{where}, over a network: SQLite's locks do not hold there, and the file can be damaged.",
            "Use a local disk, or PostgreSQL (TABSTOP_DATABASE_URL=postgresql://…).",
        )
    if mount.kind.startswith("fuse"):
        return warning(
            SUBJECT,
            f"{where}: many file systems of this kind lie about locks.",
            "Use a local disk or PostgreSQL, unless you know that this one keeps locks and syncs.",
        )
    return ok(SUBJECT, f"{where}, a local disk.")


def _plain(point: str) -> str:
    """Spaces, tabs, newlines and backslashes are written as octal there (proc(5), getmntent(3))."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)
