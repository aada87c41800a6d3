// SPDX-License-Identifier: MIT
#include "image/image_names.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"
#include "image/http_parts.hpp"
#include "profile/expand.hpp"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

bool all_hexadecimal(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// What an [[image]] from there may be called.
std::string name_from(const std::string& url) {
  const auto path = file_in_url(url);
  std::string name;
  for (const char character : path.substr(0, path.find('.'))) {
    const auto byte = static_cast<unsigned char>(character);
    if (std::isalnum(byte) != 0 || character == '-' || character == '_') name += character;
  }
  while (!name.empty() && std::isalnum(static_cast<unsigned char>(name.front())) == 0)
    name.erase(0, 1);
  return name.empty() ? "image" : name.substr(0, 64);
}

}  // namespace

std::string to_json(const ImageRecord& record) {
  const Json json{
      {"url", record.url},           {"digest", record.digest},  {"downloaded", record.downloaded},
      {"stored", record.stored},     {"time", record.time},      {"how", record.how},
      {"verified", record.verified}, {"changed", record.changed}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::optional<ImageRecord> parse_image_record(std::string_view text) {
  const auto json = Json::parse(text, nullptr, false);
  try {
    ImageRecord record;
    record.url = json.at("url").get<std::string>();
    record.digest = json.at("digest").get<std::string>();
    record.downloaded = json.at("downloaded").get<std::uint64_t>();
    record.stored = json.at("stored").get<std::uint64_t>();
    record.time = json.at("time").get<std::string>();
    record.how = json.at("how").get<std::string>();
    record.verified = json.at("verified").get<bool>();
    record.changed = json.at("changed").get<std::int64_t>();
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string images_folder(const std::string& cache) {
  return cache + "/images";
}

std::string file_name(const ImageName& name) {
  return name.algorithm + '-' + name.digest +
         (name.format == DiskFormat::qcow2 ? ".qcow2" : ".raw");
}

std::optional<ImageName> parse_image_name(std::string_view file) {
  ImageName name;
  const auto dash = file.find('-');
  const auto dot = file.find('.');
  if (dash == std::string_view::npos || dot == std::string_view::npos || dot < dash)
    return std::nullopt;
  name.algorithm = file.substr(0, dash);
  name.digest = file.substr(dash + 1, dot - dash - 1);
  const auto format = file.substr(dot + 1);
  const std::size_t digits = name.algorithm == "sha512" ? 128 : 64;
  if ((name.algorithm != "sha512" && name.algorithm != "sha256") || name.digest.size() != digits ||
      !all_hexadecimal(name.digest) || (format != "qcow2" && format != "raw"))
    return std::nullopt;
  name.format = format == "qcow2" ? DiskFormat::qcow2 : DiskFormat::raw;
  return name;
}

std::string download_stem(const std::string& url) {
  return std::string(download_prefix) + hexadecimal(stable_hash(url), 16);
}

std::string short_digest(const ImageName& name) {
  constexpr std::size_t enough = 12;
  return name.algorithm + ':' + name.digest.substr(0, enough);
}

std::string file_in_url(const std::string& url) {
  const auto path = url.substr(0, url.find_first_of("?#"));
  return path.substr(path.rfind('/') + 1);
}

std::string url_of(const std::string& word, const std::string& folder) {
  if (is_url(word)) return word;
  std::string url = "file://";
  constexpr std::string_view plain = "-._~/";
  for (const char character : absolute_path(word, folder)) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || plain.find(character) != plain.npos))
      url += character;
    else
      url += '%' + hexadecimal(byte, 2);
  }
  return url;
}

std::string profile_lines(const std::string& url, const ImageName& name) {
  std::string lines = "[[image]]\nname = " + toml_quote(name_from(url)) +
                      "\nurl = " + toml_quote(without_credentials(url)) + '\n' + name.algorithm +
                      " = " + toml_quote(name.digest) + '\n';
  if (name.format == DiskFormat::raw) lines += "format = \"raw\"\n";
  return lines;
}

}  // namespace qlaunch
