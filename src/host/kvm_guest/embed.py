# SPDX-License-Identifier: MIT
"""Writes a binary as the body of a C++ array: embed.py BINARY OUTPUT."""

import sys

ROW = 16


def main(binary: str, output: str) -> None:
    with open(binary, "rb") as file:
        code = file.read()
    if not 0 < len(code) < 4096:
        sys.exit(f"{binary}: {len(code)} bytes cannot be right")
    with open(output, "w", encoding="ascii") as file:
        for at in range(0, len(code), ROW):
            file.write("".join(f"0x{byte:02x}, " for byte in code[at:at + ROW]).rstrip() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
