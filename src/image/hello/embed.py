# SPDX-License-Identifier: MIT
"""Writes the boot sector as a C++ source: embed.py BOOT_SECTOR OUTPUT."""

import sys

SECTOR = 512
ROW = 12


def main(boot_sector: str, output: str) -> None:
    with open(boot_sector, "rb") as file:
        code = file.read()
    if len(code) != SECTOR or code[-2:] != b"\x55\xaa":
        sys.exit(f"{boot_sector}: not a boot sector: {len(code)} bytes, "
                 f"ending in {code[-2:].hex()} instead of 55aa")
    rows = [code[at:at + ROW] for at in range(0, len(code), ROW)]
    lines = ["    " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows]
    with open(output, "w", encoding="ascii") as file:
        file.write("// Made from hello.S by embed.py.\n"
                   '#include "image/hello_image.hpp"\n'
                   "\n"
                   "namespace qlaunch {\n"
                   "namespace {\n"
                   "\n"
                   f"constexpr std::uint8_t boot_code[{len(code)}] = {{\n"
                   + "\n".join(lines) + "\n"
                   "};\n"
                   "\n"
                   "}  // namespace\n"
                   "\n"
                   "std::span<const std::uint8_t> hello_boot_code() { return boot_code; }\n"
                   "\n"
                   "}  // namespace qlaunch\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
