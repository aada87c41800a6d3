// SPDX-License-Identifier: MIT
#include "profile/reader.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "profile/expand.hpp"
#include "profile/ports.hpp"
#include "profile/wording.hpp"

#include <algorithm>

namespace qlaunch {
Diagnostic problem_at(const Node& node, const Problem& problem) {
  const bool whole = problem.offset == 0 && problem.length == std::string_view::npos;
  auto finding = error_at(whole ? node.where : place_within(node, problem.offset, problem.length),
                          problem.message);
  finding.help = problem.help;
  return finding;
}

void Reader::add(const Node& node, const Problem& problem) {
  findings_.push_back(problem_at(node, problem));
}

void Reader::read_key(const Key& key, const Node& node, void* object, std::string path) {
  remember(path, node.where);
  path_ = std::move(path);
  if (key.set) key.set(object, key, node, *this);
}

bool Reader::fits(const Key& key, const Node& node, bool right) {
  if (right) return true;
  auto finding = error_at(node.where, in_backticks(key.name) + " needs " + wanted(key) + ", not " +
                                          std::string(kind_words(node.kind)));
  if (auto help = redressed(key, node)) finding.help.push_back(std::move(*help));
  findings_.push_back(std::move(finding));
  return false;
}

bool Reader::well_formed(const Key& key, const Node& node) {
  if (node.text.find('\0') != std::string::npos) {
    add(node, {"a NUL character cannot stand in a value", {"remove \\u0000"}});
    return false;
  }
  if (key.form == nullptr) return true;
  if (const auto problem = key.form(node.text)) {
    add(node, *problem);
    return false;
  }
  return true;
}

std::optional<std::string> Reader::resolve_path(const Key& key, const Node& node) {
  if (key.path == PathRule::none) return node.text;
  if (key.path == PathRule::with_slash && node.text.find('/') == std::string::npos &&
      !node.text.starts_with('~') && !node.text.starts_with('$'))
    return node.text;
  if (key.path == PathRule::word && node.text.find_first_of("/~.$") != 0) return node.text;
  if (key.path == PathRule::image) {
    const auto& images = context_.image_names;
    if (std::find(images.begin(), images.end(), node.text) != images.end()) return node.text;
    if (!is_image_path(node.text)) return node.text;
  }
  auto expanded = expand_variables(node.text, context_.home, context_.environment);
  if (expanded.problem) {
    add(node, *expanded.problem);
    return std::nullopt;
  }
  const auto folder = context_.folders.find(node.where.source.get());
  return absolute_path(expanded.text, folder == context_.folders.end() ? "/" : folder->second);
}

std::optional<std::string> Reader::string_of(const Key& key, const Node& node) {
  if (!fits(key, node, node.is(Node::Kind::string))) return std::nullopt;
  if (key.path != PathRule::none && node.text.empty()) {
    add(node, {in_backticks(key.name) + " is empty", {"leave the key out for its default"}});
    return std::nullopt;
  }
  if (!well_formed(key, node)) return std::nullopt;
  return resolve_path(key, node);
}

std::vector<std::pair<const Node*, std::string>> Reader::strings_of(const Key& key,
                                                                    const Node& node) {
  std::vector<std::pair<const Node*, std::string>> found;
  if (key.type == KeyType::words && node.is(Node::Kind::string)) {
    if (!well_formed(key, node)) return found;
    if (auto text = resolve_path(key, node)) found.emplace_back(&node, std::move(*text));
    return found;
  }
  if (!fits(key, node, node.is(Node::Kind::array))) return found;
  for (const auto& item : node.items) {
    if (!item.is(Node::Kind::string)) {
      auto finding = error_at(item.where, in_backticks(key.name) + " holds strings, not " +
                                              std::string(kind_words(item.kind)));
      if (item.is(Node::Kind::integer)) {
        const auto text = std::to_string(item.integer);
        const auto problem = key.form == nullptr ? std::nullopt : key.form(text);
        finding.help = problem ? problem->help : std::vector{"write " + in_quotes(text)};
      }
      findings_.push_back(std::move(finding));
    } else if (well_formed(key, item)) {
      if (auto text = resolve_path(key, item)) found.emplace_back(&item, std::move(*text));
    }
  }
  return found;
}

const Choice* Reader::choose(const Key& key, const Node& node) {
  if (!fits(key, node, node.is(Node::Kind::string))) return nullptr;
  std::vector<std::string> candidates;
  for (const auto& choice : key.choices) {
    if (choice.word == node.text) return &choice;
    if (!choice.hidden) candidates.emplace_back(choice.word);
  }
  auto finding = error_at(node.where,
                          in_backticks(node.text) + " is not a value of " + in_backticks(key.name));
  if (const auto near = nearest(node.text, candidates))
    finding.help.push_back("did you mean " + in_quotes(*near) + "?");
  finding.help.push_back("use " + enumerate(words_of(key), "or"));
  findings_.push_back(std::move(finding));
  return nullptr;
}

std::vector<const Choice*> Reader::choose_several(const Key& key, const Node& node) {
  std::vector<const Choice*> found;
  if (!fits(key, node, node.is(Node::Kind::array))) return found;
  std::map<const Choice*, const Node*> seen;
  for (const auto& item : node.items) {
    const auto* choice = choose(key, item);
    if (choice == nullptr) continue;
    if (const auto [first, fresh] = seen.emplace(choice, &item); !fresh) {
      findings_.push_back(
          error_at(item.where, in_quotes(item.text) + " stands twice in " + in_backticks(key.name))
              .with_related("first here", first->second->where));
      continue;
    }
    found.push_back(choice);
  }
  return found;
}

void Reader::read(const Key& key, const Node& node, std::string& out) {
  if (key.type == KeyType::choice) {
    if (const auto* choice = choose(key, node)) out = choice->word;
    return;
  }
  if (node.is(Node::Kind::date)) {
    // Only rtc takes one, and there quotes make no difference.
    auto as_text = node;
    as_text.kind = Node::Kind::string;
    if (key.wants.find("date") != std::string_view::npos && well_formed(key, as_text))
      out = node.text;
    else if (key.wants.find("date") == std::string_view::npos)
      fits(key, node, false);
    return;
  }
  if (auto text = string_of(key, node)) out = std::move(*text);
}

void Reader::read(const Key& key, const Node& node, bool& out) {
  if (key.type == KeyType::choice) {
    if (const auto* choice = choose(key, node)) out = choice->value != 0;
    return;
  }
  if (fits(key, node, node.is(Node::Kind::boolean))) out = node.boolean;
}

void Reader::read(const Key& key, const Node& node, std::int64_t& out) {
  if (!fits(key, node, node.is(Node::Kind::integer))) return;
  if (node.integer < key.lowest || node.integer > key.highest) {
    auto finding = error_at(node.where, in_backticks(key.name) + " is " +
                                            std::to_string(node.integer) + ", out of range");
    finding.help.push_back("use a number from " + std::to_string(key.lowest) + " to " +
                           std::to_string(key.highest) +
                           (key.why.empty() ? "" : ": " + std::string(key.why)));
    findings_.push_back(std::move(finding));
    return;
  }
  out = node.integer;
}

void Reader::read(const Key& key, const Node& node, std::uint64_t& out) {
  if (!fits(key, node, node.is(Node::Kind::string))) return;
  std::uint64_t size = 0;
  try {
    size = parse_size(node.text);
  } catch (const ValueError& error) {
    add(node, {error.what(), error.diagnostics().front().help});
    return;
  }
  if (size % key.multiple != 0) {
    add(node, {in_backticks(node.text) + " is " + std::to_string(size) +
                   " bytes, not a multiple of " + format_size(key.multiple),
               {multiple_hint(key, node.text, size)}});
    return;
  }
  const auto largest = static_cast<std::uint64_t>(key.highest);
  if (size < key.smallest || size > largest) {
    add(node, {in_backticks(node.text) + " is out of range for " + in_backticks(key.name),
               {"use a size from " + in_quotes(format_size(key.smallest)) + " to " +
                in_quotes(format_size(largest))}});
    return;
  }
  out = size;
}

void Reader::read(const Key& key, const Node& node, Duration& out) {
  if (!fits(key, node, node.is(Node::Kind::string))) return;
  try {
    const auto duration = parse_duration(node.text);
    if (duration.count() <= 0)
      add(node, {in_backticks(key.name) + " has to be longer than nothing",
                 {"write a number and a unit, as in \"90s\""}});
    else
      out = duration;
  } catch (const ValueError& error) {
    add(node, {error.what(), error.diagnostics().front().help});
  }
}

void Reader::read(const Key& key, const Node& node, std::vector<std::string>& out) {
  out.clear();
  for (auto& [item, text] : strings_of(key, node)) {
    remember(path_ + '[' + std::to_string(out.size()) + ']', item->where);
    out.push_back(std::move(text));
  }
}

void Reader::read(const Key& key, const Node& node, std::map<std::string, std::string>& out) {
  if (!fits(key, node, node.is(Node::Kind::table))) return;
  for (const auto& [name, place, value, implied] : node.members) {
    remember(path_ + '.' + name, value.where);
    if (key.key_form != nullptr) {
      if (auto problem = key.key_form(name)) {
        findings_.push_back(problem_at(make_string(name, place), *problem));
        continue;
      }
    }
    if (!value.is(Node::Kind::string)) {
      auto finding = error_at(value.where, in_backticks(key.name) + " holds strings, not " +
                                               std::string(kind_words(value.kind)));
      if (value.is(Node::Kind::integer))
        finding.help.push_back("write " + name + " = " + in_quotes(std::to_string(value.integer)));
      if (value.is(Node::Kind::table))
        finding.help.push_back("a name with a dot stands in quotes, as in \"" + name +
                               ".…\" = \"…\"");
      findings_.push_back(std::move(finding));
    } else if (well_formed(key, value)) {
      out[name] = value.text;
    }
  }
}

void Reader::read(const Key& key, const Node& node, std::vector<Forward>& out) {
  out.clear();
  for (const auto& [item, text] : strings_of(key, node)) {
    for (const auto& forward : parse_forward(text).forwards) {
      remember(path_ + '[' + std::to_string(out.size()) + ']', item->where);
      out.push_back(forward);
    }
  }
}

void Reader::read(const Key& key, const Node& node, std::vector<AutoForward>& out) {
  out.clear();
  for (const auto& [item, text] : strings_of(key, node)) {
    remember(path_ + '[' + std::to_string(out.size()) + ']', item->where);
    out.push_back(parse_auto_forward(text).rule);
  }
}

void Reader::read(const Key& key, const Node& node, ReadyWhen& out) {
  if (auto text = string_of(key, node)) out = parse_ready(*text).when;
}

}  // namespace qlaunch
