"""Which disk holds SQLite's file, and whether the books are safe there."""

from __future__ import annotations

import pytest

from app.doctor.diagnosis import Level
from app.doctor.disk import judge, mount_of

MOUNTS = r"""
overlay / overlay rw,relatime,lowerdir=/a:/b 0 0
proc /proc proc rw 0 0
tmpfs /run tmpfs rw,nosuid 0 0
/dev/nvme0n1p2 /data ext4 rw,relatime 0 0
tank/books /data/zfs zfs rw 0 0
fileserver:/export /data/shared nfs4 rw,vers=4.2 0 0
//server/share /mnt/win\040dows cifs rw 0 0
bucket /mnt/bucket fuse.s3fs rw 0 0
portal /mnt/portal fuse.portal rw 0 0
tmpfs /hidden tmpfs rw 0 0
/dev/sdb1 /hidden xfs rw 0 0
short
"""


@pytest.mark.parametrize(
    ("path", "kind", "level", "said"),
    [
        ("/srv/tabstop.db", "overlay", Level.PROBLEM, "the container's own layer"),
        ("/run/tabstop.db", "tmpfs", Level.PROBLEM, "which is memory"),
        ("/data/tabstop.db", "ext4", Level.OK, "a local disk"),
        ("/database/tabstop.db", "overlay", Level.PROBLEM, "container"),
        ("/data/zfs/deep/er/tabstop.db", "zfs", Level.OK, "a local disk"),
        ("/data/shared/tabstop.db", "nfs4", Level.PROBLEM, "over a network"),
        ("/mnt/win dows/tabstop.db", "cifs", Level.PROBLEM, "over a network"),
        ("/mnt/bucket/tabstop.db", "fuse.s3fs", Level.PROBLEM, "over a network"),
        ("/mnt/portal/tabstop.db", "fuse.portal", Level.WARNING, "lie about locks"),
        ("/hidden/tabstop.db", "xfs", Level.OK, "a local disk"),
    ],
)
def test_the_disk_under_the_database(path: str, kind: str, level: Level, said: str) -> None:
    """The longest mount point wins, the last of equal ones; memory, containers and networks are problems with a remedy."""
    mount = mount_of(path, MOUNTS)
    assert mount is not None
    assert mount.kind == kind
    found = judge(path, mount)
    assert found.level is level
    assert said in found.found
    assert bool(found.remedy) is (level is not Level.OK)


def test_a_system_that_does_not_tell() -> None:
    """Without /proc/mounts nothing is claimed, and nothing is alarming."""
    assert mount_of("/data/tabstop.db", "") is None
    assert judge("/data/tabstop.db", None).level is Level.OK
