// SPDX-License-Identifier: MIT
// What runs around a command in a guest so that its streams can be read and fed while it runs: a
// program for a POSIX shell, as text. Talks to no agent.
#pragma once

#include <string>
#include <vector>

namespace qlaunch::guest_exec {

/// Each read of the pump makes a record; so many of them, of at most so many bytes, are a segment.
inline constexpr int segment_records = 32;
inline constexpr std::size_t record_size = 65536;

enum class Input {
  none,   // /dev/null
  given,  // the whole of it is given to the agent with the program
  fed,    // comes piece by piece
};

struct Words {
  std::vector<std::string> command;
  std::vector<std::string> environment;  // NAME=VALUE, NAME as shells have them
  std::string folder;                    // empty: where the agent runs
  std::string user;                      // empty: the agent's own, root
};

/// Files in the guest, by what their names begin with:
///   BASE.o0, .o1 …   standard output, in segments; .e0 … standard error. One that is not full and
///                    without a next one is the last
///   BASE.oc, .ec     fifos: a line for each segment that was read; three may be waiting for that
///   BASE.i           a fifo: "0" or "1", a piece of input lies in BASE.i0 or BASE.i1; "end"
///   BASE.a           a line for each piece of input that was taken
///   BASE.p           the id of the guest's boot, and a line for each process that passes something
///                    on: its number
///   BASE.x           the exit code, once the command has ended
/// The program ends with the command's code after all of its output is in the files, and says
/// "qlaunch: …" on its own standard error where something went wrong that is not the command's.
std::vector<std::string> program(const std::string& base, Input input, const Words& words);

/// What the two lines below end with where the guest is not the one, or not in the boot, that runs
/// the program: its numbers are those of other processes then.
inline constexpr int other_run = 3;
/// A line for sh: `signal` to the process group `pid`, which the program leads.
std::string kill_line(const std::string& base, long pid, const std::string& signal);
/// Ends everything that is in the session `pid`, whatever group it is in.
std::string kill_all_line(const std::string& base, long pid);
/// What the command has left running keeps its output: stops reading it.
std::string let_go_line(const std::string& base);
std::string remove_line(const std::string& base);

}  // namespace qlaunch::guest_exec
