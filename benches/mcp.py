#!/usr/bin/env python3
"""How long an agent waits for its port: the tool get-port of a running server, beside 'git-port get' as a process.

    cargo build --release && benches/mcp.py [program] [rounds]

Each round does all of them in turn, so that a busy machine is busy for all; prints medians and ratios.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "target/release/git-port")
# The server stops an agent that calls more often than this in a row.
rounds = min(int(sys.argv[2]) if len(sys.argv) > 2 else 100, 100)

with tempfile.TemporaryDirectory() as home:
    environment = {
        "HOME": home,
        "PATH": f"{os.path.dirname(program)}:{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_PORT_RANGES_DEV": "20000-20999",
    }
    repo = os.path.join(home, "shop")

    def run(*words):
        return subprocess.run(words, cwd=repo, env=environment, check=True, capture_output=True)

    os.mkdir(repo)
    run("git", "init", "--quiet")
    pathlib.Path(repo, "README").write_text("a project\n")
    port = int(run(program, "get").stdout)
    # What was changed a moment ago is asked of the registry; see docs/design.
    time.sleep(4)
    run(program, "get")

    server = subprocess.Popen(
        [program, "mcp"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(number, method, params):
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        return json.loads(server.stdout.readline())

    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    ask(0, "initialize", hello)
    server.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    call = {"name": "get-port", "arguments": {"worktree": repo}}

    def by_server():
        answer = ask(1, "tools/call", call)["result"]
        assert answer["structuredContent"]["allocations"][0]["port"] == port, answer

    def by_process():
        assert int(run(program, "get").stdout) == port

    def through_git():
        assert int(run("git", "port", "get").stdout) == port

    ways = {"get-port, by the server": by_server, "git-port get": by_process, "git port get": through_git}
    times = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            since = time.perf_counter()
            way()
            times[name].append((time.perf_counter() - since) * 1000)
    server.stdin.close()
    server.wait()

first = statistics.median(times["git-port get"])
for name, taken in times.items():
    median, late = statistics.median(taken), sorted(taken)[int(len(taken) * 0.95)]
    print(f"{name:24} median {median:6.2f} ms   95 % {late:6.2f} ms   {median / first:4.2f} of a process")
