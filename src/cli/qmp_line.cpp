// SPDX-License-Identifier: MIT
#include "cli/qmp_line.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using QmpJson = nlohmann::json;
using Schema = std::function<const QmpSchema&()>;

QmpJson parse_object(std::string_view text) {
  auto json = QmpJson::parse(text, nullptr, false);
  if (json.is_discarded())
    throw UsageError(in_backticks(text) + " is not JSON")
        .help("arguments are an object such as {\"id\": \"cd0\"}, or words such as id=cd0");
  if (!json.is_object()) throw UsageError(in_backticks(text) + " is JSON, but not an object");
  return json;
}

/// What a person means by a value of this kind; what does not fit stays text, and QEMU says so.
QmpJson typed(const std::string& text, QmpKind kind) {
  const auto json = QmpJson::parse(text, nullptr, false);
  switch (kind) {
    case QmpKind::text:
      return text;
    case QmpKind::boolean:
      if (text == "true" || text == "on" || text == "yes") return true;
      if (text == "false" || text == "off" || text == "no") return false;
      return text;
    case QmpKind::integer:
    case QmpKind::number:
      return json.is_number() ? json : QmpJson(text);
    case QmpKind::other:
      break;
  }
  return json.is_discarded() ? QmpJson(text) : json;
}

/// `file.driver=file` reaches into an object.
QmpJson& member(QmpJson& object, const std::string& key) {
  QmpJson* at = &object;
  for (const auto& name : split(key, '.')) {
    if (name.empty() || (!at->is_object() && !at->is_null()))
      throw UsageError(in_backticks(key) + " is not a name of an argument");
    at = &(*at)[name];
  }
  return *at;
}

std::string arguments_of(const std::string& command, const std::vector<std::string>& words,
                         const Schema& schema) {
  if (words.empty()) return {};
  if (words.front().starts_with('{')) {
    if (words.size() > 1)
      throw UsageError("one word too many behind the arguments of " + in_backticks(command) + ": " +
                       in_backticks(words[1]))
          .help("in a shell, JSON has to stand in single quotes");
    return parse_object(words.front()).dump();
  }
  QmpJson arguments = QmpJson::object();
  for (const auto& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(in_backticks(word) + " is no argument of a QMP command")
          .help("write NAME=VALUE, or all arguments as one JSON object");
    const auto key = word.substr(0, equals);
    member(arguments, key) = typed(word.substr(equals + 1), schema().kind(command, key));
  }
  return arguments.dump(-1, ' ', false, QmpJson::error_handler_t::replace);
}

/// {"execute": "stop"}, as QMP itself has it.
QmpLine whole(std::string_view text) {
  const auto json = parse_object(text);
  if (!json.contains("execute") || !json.at("execute").is_string())
    throw UsageError("this JSON object names no command in \"execute\"");
  QmpLine line{json.at("execute"), {}};
  if (json.contains("arguments")) line.arguments = parse_object(json.at("arguments").dump()).dump();
  return line;
}

}  // namespace

std::vector<std::string> split_words(std::string_view line) {
  std::vector<std::string> words;
  char quote = 0;
  bool open = false;
  for (std::size_t index = 0; index < line.size(); ++index) {
    const char character = line[index];
    const bool blank = character == ' ' || character == '\t';
    if (quote == 0 && blank) {
      open = false;
      continue;
    }
    if (!open) words.emplace_back();
    open = true;
    if (quote == 0 && (character == '\'' || character == '"')) {
      quote = character;
    } else if (character == quote) {
      quote = 0;
    } else if (character == '\\' && quote != '\'' && index + 1 < line.size()) {
      words.back() += line[++index];
    } else {
      words.back() += character;
    }
  }
  if (quote != 0) throw UsageError("a quote is not closed: " + in_backticks(line));
  return words;
}

QmpLine read_qmp_words(const std::vector<std::string>& words, const Schema& schema) {
  if (words.front().starts_with('{') && words.size() == 1) return whole(words.front());
  const std::vector<std::string> behind(words.begin() + 1, words.end());
  return {words.front(), arguments_of(words.front(), behind, schema)};
}

QmpLine read_qmp_line(std::string_view line, const Schema& schema) {
  line = trim(line);
  if (line.starts_with('{')) return whole(line);
  const auto end = std::min(line.find_first_of(" \t"), line.size());
  const auto rest = trim(line.substr(end));
  // JSON has quotes of its own.
  if (rest.starts_with('{')) {
    return {std::string(line.substr(0, end)),
            arguments_of(std::string(line.substr(0, end)), {std::string(rest)}, schema)};
  }
  return read_qmp_words(split_words(line), schema);
}

}  // namespace qlaunch
