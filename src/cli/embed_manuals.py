# SPDX-License-Identifier: MIT
"""Writes the commands' manuals as a C++ source: embed_manuals.py OUTPUT NAME.md..."""

import pathlib
import sys


def main(output: str, *manuals: str) -> None:
    entries = []
    for path in map(pathlib.Path, manuals):
        text = path.read_text(encoding="utf-8")
        if not text.startswith("# qlaunch"):
            sys.exit(f"{path}: a manual begins with its title, '# qlaunch {path.stem}'")
        entries.append(f'    {{"{path.stem}", R"manual({text})manual"}},\n')
    pathlib.Path(output).write_text(
        "// Made from the .md files of src/cli by embed_manuals.py.\n"
        '#include "cli/command.hpp"\n'
        "\n"
        "namespace qlaunch {\n"
        "namespace {\n"
        "\n"
        "struct Manual {\n"
        "  std::string_view name, text;\n"
        "};\n"
        "\n"
        "constexpr Manual manuals[] = {\n" + "".join(entries) + "};\n"
        "\n"
        "}  // namespace\n"
        "\n"
        "std::string_view manual(std::string_view name) {\n"
        "  for (const auto& each : manuals) {\n"
        "    if (each.name == name) return each.text;\n"
        "  }\n"
        "  return {};\n"
        "}\n"
        "\n"
        "}  // namespace qlaunch\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
