"""Limits of containers and units are found in both versions of control groups, at every level."""

import os
from pathlib import Path

import pytest

from emojob.pipeline.system import cgroup, hardware


@pytest.fixture
def write(tmp_path):
    """Write files of control groups: write({"cpu.max": "…"}, own="…") -> (root, own)."""

    def make(files: dict[str, str], own: str) -> tuple[Path, Path]:
        for name, content in files.items():
            (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "root" / name).write_text(content)
        (tmp_path / "own").write_text(own)
        return tmp_path / "root", tmp_path / "own"

    return make


@pytest.mark.parametrize(
    ("files", "own", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, "0::/\n", 1.5),
        ({"cpu.max": "max 100000\n"}, "0::/\n", None),
        ({"cpu.max": "200000 100000\n"}, "0::/docker/3f2a\n", 2),  # the host's path with the container's files
        ({"system.slice/a.service/cpu.max": "50000 100000"}, "0::/system.slice/a.service\n", 0.5),
        ({"job.slice/cpu.max": "300000 100000", "job.slice/a/cpu.max": "max 100000"}, "0::/job.slice/a\n", 3),
        ({"cpu/cpu.cfs_quota_us": "4000", "cpu/cpu.cfs_period_us": "1000"}, "4:cpu,cpuacct:/docker/3f2a\n", 4),
        ({"cpu,cpuacct/a/cpu.cfs_quota_us": "25", "cpu,cpuacct/a/cpu.cfs_period_us": "10"}, "4:cpu,cpuacct:/a\n", 2.5),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "4:cpu,cpuacct:/\n", None),
        ({"cpu.max": "rubbish"}, "rubbish\n", None),
        ({}, "", None),
    ],
)
def test_the_narrowest_cpu_limit_applies(write, files, own, cores):
    assert cgroup.cpu_limit(*write(files, own)) == cores


@pytest.mark.parametrize(
    ("files", "own", "limit"),
    [
        ({"memory.max": "1073741824\n"}, "0::/\n", 1 << 30),
        ({"memory.max": "max\n"}, "0::/\n", None),
        ({"a/memory.max": "2000", "memory.max": "1000"}, "0::/a\n", 1000),
        ({"memory/memory.limit_in_bytes": "500"}, "9:memory:/docker/3f2a\n", 500),
        ({}, "0::/\n", None),
    ],
)
def test_the_narrowest_memory_limit_applies(write, files, own, limit):
    assert cgroup.memory_limit(*write(files, own)) == limit


def test_a_machine_without_control_groups_has_no_limit(tmp_path):
    assert cgroup.cpu_limit(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(("limit", "cores"), [(0.3, 1), (1.6, 2), (None, 8), (100, 8)])
def test_a_machine_has_no_more_cores_than_it_may_use(monkeypatch, limit, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setattr(cgroup, "cpu_limit", lambda: limit)
    assert hardware.cores() == cores
