// SPDX-License-Identifier: MIT
// qlaunch-seed: reads from its standard input what a volume is to hold and writes the volume to its
// standard output. Started by qlaunch and by the scripts of `qlaunch args`.
//
//   {"label": "cidata", "note": "…", "files": [{"name": "user-data", "text": "…"}, …]}
//
// A file has "text", or "base64" where its bytes are no text, and may be "executable".
#include "seed/iso.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace qlaunch::seed {
namespace {

std::string from_base64(const std::string& text) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned bits = 0;
  int have = 0;
  for (const char character : text) {
    if (character == '=') break;
    const auto value = digits.find(character);
    if (value == std::string_view::npos) throw IsoError("a file is not base64");
    bits = (bits << 6U) | static_cast<unsigned>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out += static_cast<char>((bits >> static_cast<unsigned>(have)) & 0xffU);
  }
  return out;
}

IsoVolume parse(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  IsoVolume volume;
  volume.label = json.at("label");
  volume.note = json.value("note", "");
  for (const auto& each : json.at("files")) {
    IsoFile file;
    file.name = each.at("name");
    file.executable = each.value("executable", false);
    file.content = each.contains("base64") ? from_base64(each.at("base64"))
                                           : each.at("text").get<std::string>();
    volume.files.push_back(std::move(file));
  }
  return volume;
}

void write_out(const std::string& image) {
  for (std::size_t at = 0; at < image.size();) {
    const auto count = write(STDOUT_FILENO, image.data() + at, image.size() - at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw IsoError("it cannot be written: " + std::string(std::strerror(errno)));
    at += static_cast<std::size_t>(count);
  }
}

int work() {
  if (isatty(STDIN_FILENO) == 1 || isatty(STDOUT_FILENO) == 1) {
    std::cerr << "qlaunch-seed is a part of qlaunch, which starts it by itself; the profile's "
                 "[guest] says what is in the volume that it makes\n";
    return 2;
  }
  try {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    write_out(iso_image(parse(text)));
    return 0;
  } catch (const nlohmann::json::exception&) {
    std::cerr << "qlaunch-seed does not understand what the volume is to hold\n";
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
  }
  return 1;
}

}  // namespace
}  // namespace qlaunch::seed

int main() {
  // The dates in a volume are those of a time zone.
  setenv("TZ", "UTC", 1);
  return qlaunch::seed::work();
}
