"""Recompute Croupier's draw in Python and compare it with schemas/vectors/draw.json.

    python check_vectors.py

Whoever draws arms elsewhere can check an implementation in the same way: it must agree in every bit.
"""

import json
import struct
import sys
from pathlib import Path

import mmh3

VECTORS = Path(__file__).resolve().parents[3] / "schemas" / "vectors" / "draw.json"
# Said here too, so that a file cut short does not pass.
HASHES = 68
DRAWS = 9


def murmur3(text, seed):
    """The four 32-bit words of MurmurHash3 x86 128-bit of the text's UTF-8 bytes."""
    return struct.unpack("<4I", mmh3.hash_bytes(text.encode("utf-8"), seed, x64arch=False))


def draw(salt, unit):
    """A number in [0, 1): the hash's first 53 bits."""
    first, second, _, _ = murmur3(f"{salt}\0{unit}", 0)
    return (first * 2**21 + (second >> 11)) / 2**53


def main():
    vectors = json.loads(VECTORS.read_text("utf-8"))
    wrong = []
    for case in vectors["hashes"]:
        words = [f"{word:08x}" for word in murmur3(case["text"], case["seed"])]
        if words != case["words"]:
            wrong.append(f"hash of {case['text'][:40]!r} with seed {case['seed']}: {words}, expected {case['words']}")
    for case in vectors["draws"]:
        drawn = draw(case["salt"], case["unit"])
        if drawn != case["draw"]:
            wrong.append(f"draw of {case['salt']!r} and {case['unit']!r}: {drawn}, expected {case['draw']}")
    found = (len(vectors["hashes"]), len(vectors["draws"]))
    if found != (HASHES, DRAWS):
        wrong.append(f"{found[0]} hashes and {found[1]} draws in {VECTORS.name}, expected {HASHES} and {DRAWS}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{found[0]} hashes and {found[1]} draws agree")


if __name__ == "__main__":
    main()
