"""Memory and CPU of a process and all its descendants, and of the whole machine, from /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """What a tree of processes holds at one moment.

    `uss_bytes` is memory that belongs to them alone; `pss_bytes` adds their part of shared pages.
    """

    uss_bytes: int
    pss_bytes: int


@dataclass(frozen=True, slots=True)
class Work:
    """What a tree of processes has worked.

    `cpu_s` is the CPU time of all of it since it started, also of processes that are gone;
    `processes` are those alive.
    """

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


def memory_of(root_pid: int) -> Memory:
    """Return the summed memory of a process tree."""
    uss = pss = 0
    for pid in descendants(root_pid):
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        except (FileNotFoundError, ProcessLookupError):
            continue
        sizes = {
            line.split(":")[0]: int(line.split()[1]) * 1024
            for line in rollup.splitlines()[1:]
            if line.endswith("kB")
        }
        uss += sizes["Private_Clean"] + sizes["Private_Dirty"]
        pss += sizes["Pss"]
    return Memory(uss, pss)


def work_of(root_pid: int) -> Work:
    """Return the summed CPU time of a process tree.

    A process that ended is counted through whoever reaped it, so a job that came and went between
    two readings is not lost.
    """
    cpu_s, processes = 0.0, 0
    for pid in descendants(root_pid):
        entry = Path(f"/proc/{pid}")
        try:
            stat = _stat_fields(entry)
            threads_ns = sum(
                int((thread / "schedstat").read_text(encoding="ascii").split()[0])
                for thread in (entry / "task").iterdir()
            )
        except (FileNotFoundError, ProcessLookupError):
            continue
        # Fields 14 to 17 of proc(5) stat: utime, stime, cutime, cstime; counted after the name.
        utime, stime, cutime, cstime = (int(value) / _TICKS_PER_S for value in stat[11:15])
        # Ticks are 10 ms and cut off, which a dozen waiting processes make a tenth of a second of;
        # nanoseconds are known only of the threads that live. The larger one is nearer the truth.
        cpu_s += max(utime + stime, threads_ns / 1e9) + cutime + cstime
        processes += 1
    return Work(cpu_s, processes)


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
