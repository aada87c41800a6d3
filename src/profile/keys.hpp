// SPDX-License-Identifier: MIT
// The table of keys: what each key of a profile is, means and defaults to, and which member it
// fills. Feeds parser, checks, schema, reference and starter file. Reads no files.
#pragma once

#include "profile/profile.hpp"
#include "profile/tree.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

class Reader;
struct Key;

enum class KeyType {
  string,
  boolean,
  integer,
  size,      // "8 GiB"
  duration,  // "90s"
  choice,    // one of `choices`
  strings,   // a list of strings
  choices,   // a list of words out of `choices`
  words,     // one string or a list of them
  map,       // a table of strings with keys of the user's
};

/// How paths in a key are treated.
enum class PathRule {
  none,
  path,        // `~` and variables expanded, relative to the profile that says it
  with_slash,  // the same only where it holds a slash, else a command's name
  image,       // the same where it is a path: no URL, no builtin, no name of an [[image]]
  word,        // the same where it begins as a path does, with `/`, `~`, `.` or `$`
};

struct Choice {
  std::string_view word;
  int value = 0;
  std::string_view meaning = {};
  bool later = false;   // this version checks the word and does nothing with it
  bool hidden = false;  // an accepted other spelling
};

/// What is wrong with a string's form: the message goes behind the value's place.
struct Problem {
  std::string message;
  std::vector<std::string> help = {};
  std::size_t offset = 0;                       // of the wrong part of the string …
  std::size_t length = std::string_view::npos;  // … to its end
};

using FormCheck = std::optional<Problem> (*)(std::string_view text);
using Setter = std::function<void(void* object, const Key& key, const Node& node, Reader& reader)>;

struct Key {
  std::string_view name;
  KeyType type = KeyType::string;
  std::string_view meaning = {};  // sentences for the reference, the schema and the starter file

  std::string_view fallback = {};  // the default, as TOML; empty: none, or see `fallback_words`
  std::string_view fallback_words = {};  // where it is computed
  std::string_view example = {};         // as TOML
  std::vector<Choice> choices = {};
  std::int64_t lowest = std::numeric_limits<std::int64_t>::min();
  std::int64_t highest = std::numeric_limits<std::int64_t>::max();
  std::uint64_t smallest = 0;  // sizes
  std::uint64_t multiple = 1;
  std::string_view pattern = {};  // the form, as the schema says it
  FormCheck form = nullptr;       // of a string, or of each one in a list
  FormCheck key_form = nullptr;   // of the names in a map
  std::string_view why = {};      // the reason for a range
  std::string_view wants = {};    // "a size such as "8 GiB"", where the type does not say it well
  PathRule path = PathRule::none;
  bool required = false;
  bool later = false;
  std::string_view starter = {};  // the value in the starter file; empty: commented there
  Setter set = {};                // none: the loader itself acts on it
};

enum class SectionShape { top, table, list };

/// How elements of a list of tables are told apart when profiles are merged.
enum class MergeKey { none, name, tag, name_and_arch };

struct Section {
  std::string_view path;  // "", "machine", "machine.smbios", "disk", "guest.run"
  SectionShape shape = SectionShape::table;
  MergeKey merge = MergeKey::none;
  std::string_view meaning = {};
  std::vector<Key> keys = {};
  /// The object that the keys fill; for a list a new element of it.
  std::function<void*(Profile&)> object = {};

  const Key* key(std::string_view name) const;
  /// "[machine]", "[[disk]]", "the top level".
  std::string heading() const;
  /// What the elements of a list are known by: "name" or "tag".
  std::string_view element_key() const { return merge == MergeKey::tag ? "tag" : "name"; }
};

/// Every section, in the order of the reference.
const std::vector<Section>& profile_sections();

const Section* find_section(std::string_view path);
/// "smbios" in "machine", "run" in "guest"; "disk" at the top level.
const Section* find_child(const Section& parent, std::string_view name);

/// The default of "machine.memory" as TOML; empty where it has none or it is computed.
std::string profile_key_default(std::string_view path);

}  // namespace qlaunch
