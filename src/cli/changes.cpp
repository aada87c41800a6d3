// SPDX-License-Identifier: MIT
#include "cli/changes.hpp"

#include "core/text.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::string value_text(const std::string& value, bool is_default) {
  if (value.empty()) return "not set";
  return printable(value) + (is_default ? " (default)" : "");
}

std::string effect_text(Effect effect) {
  switch (effect) {
    case Effect::now:
      return "takes effect at once";
    case Effect::next_start:
      return "at the next start";
    case Effect::new_disk:
      return "no effect: the disk is there and stays as it is";
    case Effect::none:
      break;
  }
  return "no effect on this VM";
}

const char* effect_word(Effect effect) {
  switch (effect) {
    case Effect::now:
      return "now";
    case Effect::next_start:
      return "next-start";
    case Effect::new_disk:
      return "new-disk";
    case Effect::none:
      break;
  }
  return "none";
}

const char* kind_word(KeyChange::Kind kind) {
  switch (kind) {
    case KeyChange::Kind::added:
      return "added";
    case KeyChange::Kind::removed:
      return "removed";
    case KeyChange::Kind::order:
      return "order";
    case KeyChange::Kind::value:
      break;
  }
  return "value";
}

/// Whether the place is in the old text: the file has it no more.
bool gone(const KeyChange& change) {
  return change.kind == KeyChange::Kind::removed ||
         (change.kind == KeyChange::Kind::value &&
          (change.after_is_default || change.after.empty()));
}

std::string place_text(const KeyChange& change) {
  if (!change.where) return {};
  return (gone(change) ? "was at " : "") + change.where.short_text() + "; ";
}

Json or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

}  // namespace

std::string changes_text(const std::vector<ProfileChange>& changes, const std::string& margin) {
  std::string out;
  for (const auto& [change, effect] : changes) {
    out += margin + printable(change.key);
    if (change.kind == KeyChange::Kind::added || change.kind == KeyChange::Kind::removed) {
      out += std::string(": ") + kind_word(change.kind);
    } else {
      out += ": " + value_text(change.before, change.before_is_default) + " -> " +
             value_text(change.after, change.after_is_default);
    }
    out += '\n' + margin + "    " + printable(place_text(change)) + effect_text(effect) + '\n';
  }
  return out;
}

std::string changes_json(const Record& record, bool runs,
                         const std::vector<ProfileChange>& changes) {
  Json list = Json::array();
  for (const auto& [change, effect] : changes)
    list.push_back({{"key", change.key},
                    {"kind", kind_word(change.kind)},
                    {"before", or_null(change.before)},
                    {"after", or_null(change.after)},
                    {"file", change.where ? Json(change.where.source->name) : Json()},
                    {"line", change.where ? Json(change.where.line) : Json()},
                    {"in_file", change.where && !gone(change)},
                    {"effect", effect_word(effect)}});
  const Json out{{"name", record.name},
                 {"profile", record.profile},
                 {"runs", runs},
                 {"needs_restart", runs && needs_restart(changes)},
                 {"changes", list}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace qlaunch
