"""CPU time and memory of a tree of processes, from /proc (proc_pid_stat(5)). Linux only."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """Of one process: `own` seconds of CPU, and `reaped`, those of its children that ended. Steps of 10 ms."""

    parent: int
    own: float
    reaped: float


def parse_stat(text: str) -> Stat:
    """What /proc/PID/stat says. The name in parentheses may hold spaces and parentheses itself."""
    fields = text[text.rindex(")") + 2 :].split()
    own, reaped = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return Stat(parent=int(fields[1]), own=own / TICKS, reaped=reaped / TICKS)


def tree_of(root: int, parents: dict[int, int]) -> list[int]:
    """`root` and all below it, where `parents` names each process's parent."""
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def read_tree(root: int) -> dict[int, Stat]:
    """Every process of the tree, the root first. One that ends meanwhile is left out."""
    stats = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                stats[int(folder.name)] = parse_stat((folder / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return {pid: stats[pid] for pid in tree_of(root, {pid: stat.parent for pid, stat in stats.items()}) if pid in stats}


def total(tree: dict[int, Stat]) -> float:
    """Seconds of CPU of a whole tree, those of ended processes included."""
    return sum(stat.own + stat.reaped for stat in tree.values())


def used_by_children(before: dict[int, Stat], after: dict[int, Stat], *, root: int) -> tuple[float, ...]:
    """Seconds of CPU between two readings, for each process below `root` that is in both."""
    return tuple(after[pid].own - before[pid].own for pid in after if pid in before and pid != root)


def resident_mb(pid: int) -> float:
    """Resident memory in MB of 10^6 bytes; pages shared with other processes count in full."""
    for entry in (PROC / str(pid) / "status").read_text().splitlines():
        if entry.startswith("VmRSS:"):
            return int(entry.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)
