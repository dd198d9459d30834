"""Passes requests to a program that has a function answer(request): helper_process.py PROGRAM.py

Started by helper_process.gd. Requests come in on standard input and answers go out on standard output, one JSON object a
line, so that no request uses the sockets under test. It ends when standard input does.
"""

import json
import os
import runpy
import sys


def main() -> None:
    # Where the engine's pipe does not block, this end might share that.
    if hasattr(os, "set_blocking"):
        os.set_blocking(sys.stdin.fileno(), True)
    answer = runpy.run_path(sys.argv[1])["answer"]
    for line in sys.stdin:
        try:
            said = answer(json.loads(line))
        except Exception as error:  # any error is reported to the caller
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), flush=True)


main()
