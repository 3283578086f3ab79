#!/usr/bin/env python3
"""Times commands as whole processes, each in turn, so that a busy machine is busy for all of them.

Reads jobs from standard input, a line each, its fields divided by tabs:

    name  folder  command  [command that is run after each time, untimed]

'{n}' in a command stands for the number of the round. Words are divided by blanks; there is no shell, so none
is timed. A command that is not there, or fails, is told. ROUNDS says how often; PIVOT names the job that the
last column compares with.

Prints the least time, and the median processor time of the command and all it started, with its ratio to the
first job and to the pivot. On a machine that does other things, too, the processor time is the one to go by.
"""

import os
import resource
import shutil
import statistics
import sys
import time


def processor():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def run(folder, command, number, null):
    words = command.replace("{n}", number).split()
    program = words[0] if "/" in words[0] else shutil.which(words[0])
    if program is None:
        return None, None, 127
    os.chdir(folder)
    before, begun = processor(), time.perf_counter()
    streams = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in range(3)]
    _, status = os.waitpid(os.posix_spawn(program, words, os.environ, file_actions=streams), 0)
    took = (time.perf_counter() - begun) * 1000
    return took, processor() - before, os.waitstatus_to_exitcode(status)


def main():
    rounds = int(os.environ.get("ROUNDS", "21"))
    jobs = [(line.rstrip("\n").split("\t") + ["", ""])[:4] for line in sys.stdin if line.strip()]
    times = {job[0]: ([], []) for job in jobs}
    failed = {}
    null = os.open(os.devnull, os.O_RDWR)
    # The first two rounds only warm up.
    for number in range(-2, rounds):
        for name, folder, command, after in jobs:
            if name in failed:
                continue
            took, used, status = run(folder, command, str(number + 2), null)
            if status:
                failed[name] = "missing" if status == 127 else f"ended with {status}"
                continue
            if number >= 0:
                times[name][0].append(took)
                times[name][1].append(used)
            if after:
                run(folder, after, str(number + 2), null)
    cost = {name: statistics.median(used) for name, (_, used) in times.items() if used and name not in failed}
    first = next((cost[job[0]] for job in jobs if job[0] in cost), 1.0)
    pivot = cost.get(os.environ.get("PIVOT", ""), first)
    print(f"{'':44} {'least ms':>10} {'cpu ms':>10} {'floor':>8} {'ours':>8}")
    for name, *_ in jobs:
        if name not in cost:
            print(f"{name:44} {failed.get(name, '-'):>10}")
            continue
        used = cost[name]
        print(f"{name:44} {min(times[name][0]):10.2f} {used:10.2f} {used / first:7.2f}x {used / pivot:7.2f}x", flush=True)


main()
