# SPDX-License-Identifier: MIT
"""Holds the JSON Schema against a real validator: schema_test.py PRINT_SCHEMA PROFILES WRONG

The schema itself, every shipped profile, and some wrong ones that it must reject.
Ends with 77 (skipped) where jsonschema is not installed.
"""

import json
import pathlib
import subprocess
import sys

try:
    import tomllib
    from jsonschema import Draft202012Validator
except ImportError as error:
    print(f"[skip] schema: {error} (package python3-jsonschema)")
    sys.exit(77)

# What a schema can see; contradictions between keys are for `check`.
REJECTED = [
    "boot_slip", "choice_slip", "count_out_of_range", "cpu_feature_sign", "digest_length",
    "duration_unit", "forward_ipv6", "forward_one_port", "integer_for_size", "list_as_section",
    "mac_form", "memory_not_a_size", "name_too_long", "queue_size", "ready_word",
    "section_as_value", "share_without_tag", "string_for_boolean", "unknown_key",
    "unknown_key_in_list", "unknown_section", "url", "uuid",
]


def main(print_schema: str, profiles: str, wrong: str) -> int:
    schema = json.loads(subprocess.run([print_schema], check=True, capture_output=True).stdout)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    failures = []

    shipped = sorted(pathlib.Path(profiles).glob("*.toml"))
    if not shipped:
        failures.append(f"no profiles in {profiles}")
    for path in shipped:
        for error in validator.iter_errors(tomllib.loads(path.read_text(encoding="utf-8"))):
            failures.append(f"{path.name}: {error.json_path}: {error.message}")
    for name in REJECTED:
        text = (pathlib.Path(wrong) / f"{name}.toml").read_text(encoding="utf-8")
        if validator.is_valid(tomllib.loads(text)):
            failures.append(f"{name}.toml is accepted")

    def defaults(node: dict, where: str) -> None:
        for key, value in node.get("properties", {}).items():
            for word in [value.get("default")] if "default" in value else []:
                if not Draft202012Validator(value).is_valid(word):
                    failures.append(f"{where}{key}: the default {word!r} does not fit")
            for word in value.get("examples", []):
                if not Draft202012Validator(value).is_valid(word):
                    failures.append(f"{where}{key}: the example {word!r} does not fit")
            defaults(value, f"{where}{key}.")
            defaults(value.get("items", {}), f"{where}{key}.")

    defaults(schema, "")
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
