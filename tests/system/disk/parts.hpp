// SPDX-License-Identifier: MIT
// What the tests of disks share: small VMs on the built-in guest, patterns written into disks and
// read back. Tests nothing.
#pragma once

#include "support/run.hpp"

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace parts {

/// A profile of the built-in guest with a disk `data` of 8 MiB beside it; `more` is added to it.
std::string profile(const std::string& more = {});

/// A command that has to succeed; what it printed.
std::string ok(const test::Home& home, const std::vector<std::string>& words);

/// A program that has to succeed, as the home's user.
std::string tool(const test::Home& home, const std::vector<std::string>& words);

/// 64 KiB of this byte, written into (or found in) a disk's file at this place.
void write(const test::Home& home, const std::string& path, int byte, int place_kib);
bool has(const test::Home& home, const std::string& path, int byte, int place_kib);

/// The same write by the QEMU of a running VM, as if its guest had done it.
void write_running(const test::Home& home, const std::string& vm, const std::string& disk, int byte,
                   int place_kib);

/// The same question, answered by the QEMU of a running VM.
bool has_running(const test::Home& home, const std::string& vm, const std::string& disk, int byte,
                 int place_kib);

/// Empty where `qemu-img check` finds nothing to say.
std::string damage(const test::Home& home, const std::string& path);

/// What `disk info` says of DISK.
nlohmann::json info(const test::Home& home, const std::string& disk);

/// Runs a command until it stands at this step, and kills it there.
void kill_at(const test::Home& home, const std::string& step, std::vector<std::string> words);

/// Holds a command at this step while `work` is done, and lets it go on to its end. Its exit code.
int meanwhile_at(const test::Home& home, const std::string& step, std::vector<std::string> words,
                 const std::function<void()>& work);

std::string data(const test::Home& home, const std::string& vm, const std::string& file);

}  // namespace parts
