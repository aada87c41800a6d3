# SPDX-License-Identifier: MIT
"""The programs in the README are the examples: readme_test.py README EXAMPLE..."""

import sys


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


readme = read(sys.argv[1])
stale = [path for path in sys.argv[2:] if "```cpp\n" + read(path) + "```" not in readme]
if stale:
    sys.exit(f"{sys.argv[1]} does not show {', '.join(stale)} as it is")
