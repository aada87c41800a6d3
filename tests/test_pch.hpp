// SPDX-License-Identifier: MIT
// Parsed once for a whole test program. Includes nothing of the project's own.
// (No #pragma once: this is compiled as a file of its own, where g++ warns of it.)
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
