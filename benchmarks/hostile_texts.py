"""The resident memory of a service over requests of texts that no pipeline likes: new words by the
thousand, half characters, control characters, markup, one word of hundreds of letters, empty texts,
bodies that are no requests.

    python benchmarks/hostile_texts.py PIPELINE 100000

The requests are made anew each, from the seed 0, and sent by 16 clients to
`python -m spacy bertcrf serve PIPELINE`.
"""

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from clients import send

N_CLIENTS = 16
N_STEPS = 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipeline", help="its folder")
    parser.add_argument("requests", type=int)
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "spacy", "bertcrf", "serve", args.pipeline]
    service = subprocess.Popen([*command, "--port", str(port)])
    try:
        await_start(service, port)
        print(f"spacy-bertcrf {version('spacy-bertcrf')}, {N_CLIENTS} clients")
        print("\n| requests | refused | resident MB of the service |\n|---|---|---|")
        print(f"| 0 | 0 | {resident_mb(service.pid):.0f} |", flush=True)
        bodies = hostile_bodies(args.requests)
        n = n_refused = 0
        while n < args.requests:
            size = min(max(1, args.requests // N_STEPS), args.requests - n)
            answers = send(port, (next(bodies) for _ in range(size)), N_CLIENTS)
            assert all(answer.status < 500 for answer in answers)
            n += size
            n_refused += sum(answer.status != 200 for answer in answers)
            print(f"| {n:,} | {n_refused:,} | {resident_mb(service.pid):.0f} |", flush=True)
    finally:
        service.terminate()
        service.wait()


def await_start(service: subprocess.Popen, port: int) -> None:
    while service.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit("The service has not started.")


def hostile_bodies(n: int) -> Iterator[bytes]:
    rng = random.Random(0)
    return (hostile_body(rng) for _ in range(n))


def hostile_body(rng: random.Random) -> bytes:
    letters = [chr(rng.randrange(0x20, 0x2FA0)) for _ in range(rng.randrange(1, 120))]
    text = "".join(letter for letter in letters if letter.isprintable())
    kind = rng.randrange(8)
    if kind == 0:
        return rng.randbytes(200)
    if kind == 1:
        return b'{"text": "half \\ud83d a character"}'
    texts = {
        2: " ".join(f"{rng.getrandbits(64):x}" for _ in range(30)),
        3: "\x00\x07\u202e\ufeff" + text,
        4: "<script>alert(1)</script>" + text,
        5: "a" * rng.randrange(1, 600),
        6: "\n \t" * rng.randrange(50),
    }
    return json.dumps({"text": texts.get(kind, text), "k_best": 2 * (kind == 3)}).encode()


def resident_mb(process_id: int) -> float:
    """In MB of 10^6 bytes."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
