"""Memory and CPU of a process and all its descendants, and of the whole machine, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree of processes uses at one moment.

    `uss_bytes` is memory that belongs to them alone; `pss_bytes` adds their part of shared pages.
    `cpu_s` is CPU time since they started, user and system.
    """

    uss_bytes: int
    pss_bytes: int
    cpu_s: float
    processes: int


def descendants(root_pid: int) -> list[int]:
    """Return the process and all below it, as they are now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent_of(entry)
            if parent is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root_pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting.extend(children.get(pid, []))
    return found


def usage_of(root_pid: int) -> Usage:
    """Return the summed usage of a process tree.

    Reaped children's CPU time is counted through their parent, so a job that ended between two
    readings is not lost.
    """
    uss = pss = processes = 0
    cpu_ticks = 0
    for pid in descendants(root_pid):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
            stat = _stat_fields(Path(f"/proc/{pid}"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        sizes = {
            line.split(":")[0]: int(line.split()[1]) * 1024
            for line in rollup.splitlines()[1:]
            if line.endswith("kB")
        }
        uss += sizes["Private_Clean"] + sizes["Private_Dirty"]
        pss += sizes["Pss"]
        # Fields 14 to 17 of proc(5) stat: utime, stime, cutime, cstime; counted after the name.
        cpu_ticks += sum(int(value) for value in stat[11:15])
        processes += 1
    return Usage(uss, pss, cpu_ticks / _TICKS_PER_S, processes)


def machine_cpu_s() -> float:
    """Return the CPU time that the machine's processors have worked since boot, all together.

    Source: proc(5), first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq,
    steal; what a guest uses is in user already.
    """
    first_line = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first_line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S


def _parent_of(entry: Path) -> int | None:
    try:
        return int(_stat_fields(entry)[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stat_fields(entry: Path) -> list[str]:
    """Return the fields of proc(5) stat after the parenthesised name, from field 3 (state)."""
    return (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
