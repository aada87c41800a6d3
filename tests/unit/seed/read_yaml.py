# SPDX-License-Identifier: MIT
# Reads YAML from standard input with the parser that cloud-init has, and prints it as JSON.
import json
import sys

import yaml

print(json.dumps(yaml.safe_load(sys.stdin.buffer.read().decode("utf-8"))))
