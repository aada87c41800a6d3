// SPDX-License-Identifier: MIT
#include "guest/seed_volume.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/own_programs.hpp"
#include "host/paths.hpp"
#include "host/spawn.hpp"
#include "plan/seed/marks.hpp"
#include "plan/seed/volume_json.hpp"

#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr auto patience = std::chrono::seconds(60);
constexpr std::size_t most = std::size_t{64} << 20;

void replace_all(std::string& text, std::string_view mark, std::string_view value) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size()))
    text.replace(at, mark.size(), value);
}

/// On one line, as YAML in double quotes and `printf %b` take it.
std::string on_one_line(const std::string& text) {
  std::string out;
  for (const char character : text) {
    if (character == '\n') {
      out += "\\n";
    } else {
      out += character;
    }
  }
  return out;
}

/// What a volume says, in few characters: kept in it, so that the file itself tells whether it is
/// the one that is wanted.
std::string note_of(const std::vector<MakeSeed::File>& files) {
  const auto text = seed_volume_json(files, "");
  auto note = "QLAUNCH " + hexadecimal(stable_hash(text), 16) +
              hexadecimal(stable_hash(text + text.substr(0, text.size() / 2)), 16);
  // The field knows no small letters.
  for (char& character : note) {
    if (character >= 'a' && character <= 'f') character = static_cast<char>(character - 'a' + 'A');
  }
  return note;
}

/// The field of a volume's first descriptor that holds the note; empty where there is no volume.
std::string note_in(const std::string& path, std::size_t length) {
  constexpr off_t application = 16 * 2048 + 574;
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string note(length, '\0');
  if (!file || pread(file.get(), note.data(), length, application) != static_cast<ssize_t>(length))
    return {};
  return note;
}

/// What the program is to read: no file that others see, and no pipe that would have to be fed.
UniqueFd memory_with(const std::string& text) {
  UniqueFd file(memfd_create("seed", MFD_CLOEXEC));
  if (!file) throw system_error("cannot make a volume", errno);
  write_all(file.get(), text, "cannot make a volume");
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string run_seed(const std::string& json) {
  const auto input = memory_with(json);
  SpawnOptions options;
  options.argv = {own_program("seed", "that makes volumes")};
  options.descriptors = {{0, input.get()}};
  options.die_with_parent = true;
  auto done = run_and_capture(std::move(options), patience, most);
  if (done.ok()) return std::move(done.out);
  Error error(
      "the volume that tells the guest who it is cannot be made: `qlaunch-seed` ended with " +
      describe_exit(done.status));
  if (const auto said = trim(done.err); !said.empty()) error.help("it said: " + printable(said));
  throw error;
}

}  // namespace

std::string with_keys(std::string text, const SshIdentity& identity,
                      const std::string& private_host_key) {
  replace_all(text, own_key_mark, identity.public_key);
  replace_all(text, host_public_key_mark, identity.host_public_key);
  replace_all(text, host_key_mark, on_one_line(private_host_key));
  return text;
}

std::string with_keys(std::string text, const std::string& ssh_folder) {
  if (ssh_folder.empty()) return text;
  const auto identity = ensure_ssh_identity(ssh_folder);
  return with_keys(std::move(text), identity, read_file(identity.host_key));
}

void make_seed_volume(const MakeSeed& seed) {
  auto files = seed.files;
  if (!seed.ssh_folder.empty()) {
    const auto identity = ensure_ssh_identity(seed.ssh_folder);
    const auto host_key = read_file(identity.host_key);
    for (auto& file : files) file.content = with_keys(std::move(file.content), identity, host_key);
  }
  const auto note = note_of(files);
  if (note_in(seed.path, note.size()) == note) return;
  write_file_atomic(seed.path, run_seed(seed_volume_json(files, note)));
}

}  // namespace qlaunch
