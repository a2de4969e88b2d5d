#!/usr/bin/env python3
"""Kills processes of a cluster, one after another, and tells how long each took to come back.

    kill_loop.py [--name default] [--rounds 20] [--seed N] [PROCESS ...]

Copy it and put your own experiment in `settled`: it is asked after every kill until it says yes.
"""

import argparse
import json
import random
import subprocess
import sys
import time

LIMIT_SECONDS = 30.0


def coracle(*arguments: str) -> str:
    done = subprocess.run(["coracle", *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def processes(name: str) -> dict[str, dict]:
    return {one["name"]: one for one in json.loads(coracle("status", "--name", name, "-o", "json"))}


def settled(name: str, victim: str, restarts: int) -> bool:
    """What has to hold before the next kill: the process was started again and everybody is ready."""
    now = processes(name)
    return now[victim]["restarts"] > restarts and all(one["health"] == "ready" for one in now.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="default")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("process", nargs="*")
    args = parser.parse_args()
    print(f"seed {args.seed}", file=sys.stderr)
    choose = random.Random(args.seed)
    victims = args.process or sorted(processes(args.name))
    for number in range(1, args.rounds + 1):
        victim = choose.choice(victims)
        restarts = processes(args.name)[victim]["restarts"]
        began = time.monotonic()
        coracle("kill", "--name", args.name, victim)
        while not settled(args.name, victim, restarts):
            if time.monotonic() - began > LIMIT_SECONDS:
                print(f"{number}: {victim} did not come back within {LIMIT_SECONDS} s", file=sys.stderr)
                return 1
            time.sleep(0.005)
        print(f"{number}: {victim} back after {(time.monotonic() - began) * 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
