// SPDX-License-Identifier: MIT
#include "cli/init.hpp"

#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "profile/starter.hpp"
#include "vm/catalog.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".toml";
constexpr std::string_view usual_name = "vm";

struct NewProfile {
  std::string file;  // as the user would type it
  std::string name;  // of the VM
};

NewProfile new_profile(std::string word) {
  if (word.empty()) word = usual_name;
  if (!word.ends_with(suffix)) word += suffix;
  return {word, fs::path(word).stem().string()};
}

/// The text of another profile, with the new name in the place of its own.
std::string copied(const std::string& from, const std::string& name) {
  const auto path = find_profile(from);
  const auto loaded = open_profile(path, {});
  if (has_errors(loaded.diagnostics)) throw ProfileError(loaded.diagnostics);
  const auto& source = loaded.sources.front();
  auto lines = split(source->text, '\n');
  const auto place = loaded.profile.places.find("name");
  if (place != loaded.profile.places.end() && place->second.source == source)
    lines[static_cast<std::size_t>(place->second.line) - 1] = "name = " + toml_quote(name);
  return "# Made by `qlaunch init` from " + printable(from) + ".\n" + join(lines, "\n");
}

/// What is written is right: a starter file that does not pass `check` would be a poor start.
void require_valid(const NewProfile& target, const std::string& text) {
  auto world = host_world();
  const auto path = fs::absolute(target.file).lexically_normal().string();
  world.read = [&, read = world.read](const std::string& asked) {
    return asked == path ? text : read(asked);
  };
  auto loaded = load_profile(path, target.file, {}, world);
  if (has_errors(loaded.diagnostics)) throw ProfileError(std::move(loaded.diagnostics));
}

void write_new(const std::string& path, const std::string& text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file && errno == EEXIST)
    throw UsageError(in_backticks(path) + " exists already")
        .help("choose another name, or move that file away");
  if (!file) throw system_error("cannot write " + in_backticks(path), errno);
  try {
    write_all(file.get(), text, path);
  } catch (const Error&) {
    // Half a profile would stand in the way of the next try.
    unlink(path.c_str());
    throw;
  }
}

}  // namespace

void add_init(CLI::App& app, InitOptions& options) {
  add_word(app, options.name, "NAME",
           "name of the VM and of its file, NAME.toml, in this folder; default: vm", false);
  add_text(app, options.from, "--from", "PROFILE", "copy this profile instead of a blank one");
  add_flag(app, options.print, "--stdout", "print the profile, write no file");
}

int init(const InitOptions& options, Terminal& terminal) {
  const auto target = new_profile(options.name);
  const auto text =
      options.from.empty() ? starter_profile(target.name) : copied(options.from, target.name);
  require_valid(target, text);
  if (options.print) {
    terminal.print(text);
    return 0;
  }
  write_new(target.file, text);
  // A name is found in this folder, a file of another folder needs its path.
  const bool here = target.file.find('/') == std::string::npos;
  const auto word = shell_quote(here ? target.name : target.file);
  terminal.result("wrote " + printable(target.file) + "\n" + "  edit it, then  qlaunch check " +
                  word + "\n" + "  start it       qlaunch up " + word + "\n");
  return 0;
}

}  // namespace qlaunch
