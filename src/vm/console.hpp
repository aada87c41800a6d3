// SPDX-License-Identifier: MIT
// The serial port on this terminal. Restores the terminal however it ends.
#pragma once

#include <functional>
#include <string>

namespace qlaunch {

/// `signal`: asked to end from outside, see RawTerminal::signal().
enum class ConsoleEnd { detached, vm_ended, input_ended, signal };

/// Copies between the terminal (or pipes) and the serial port until Ctrl-] or the VM's end.
/// StateError where it does not run or has no serial port, Error where somebody else is on it.
/// `connected` is called when nothing that the guest says from then on can be missed.
ConsoleEnd run_console(const std::string& name, const std::function<void()>& connected = {});

}  // namespace qlaunch
