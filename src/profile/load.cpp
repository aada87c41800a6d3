// SPDX-License-Identifier: MIT
#include "profile/load.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/check.hpp"
#include "profile/complete.hpp"
#include "profile/expand.hpp"
#include "profile/fill.hpp"
#include "profile/merge.hpp"
#include "profile/reader.hpp"
#include "profile/settings.hpp"
#include "profile/toml_text.hpp"

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

namespace qlaunch {
namespace {

/// A chain this long is a mistake that no comparison of paths found.
constexpr std::size_t longest_chain = 32;

class Loader {
 public:
  Loader(const ProfileWorld& world, LoadedProfile& result) : world_(world), result_(result) {
    context_.environment = world.environment;
    context_.home = world.home;
  }

  void run(const std::string& path, const std::string& shown,
           const std::vector<std::string>& settings) {
    auto& profile = result_.profile;
    auto root = read(path, shown, {});
    if (!result_.sources.empty()) profile.file = Location{result_.sources.front(), 0, 0, 1};
    if (!root) return;
    if (root->members.empty() && settings.empty() && !has_errors(result_.diagnostics)) {
      report(error_at(profile.file, "the profile is empty")
                 .with_help("three lines are a VM:\n  [[disk]]\n  image = \"debian-12.qcow2\"\n"
                            "  size = \"20 GiB\"")
                 .with_help("`qlaunch init` writes a commented one"));
      return;
    }
    const bool broken = has_errors(result_.diagnostics);
    for (const auto& words : settings) set(*root, words, path);
    note_images(*root);
    fill_profile(profile, *root, context_, result_.diagnostics);
    complete_profile(profile, path, result_.diagnostics);
    // With a base missing, half of what they would say is wrong.
    if (!broken) check_profile(profile, result_.diagnostics);
    result_.tree = std::move(*root);
  }

  /// In the order of the texts, whichever step found them.
  void sort_findings() {
    const auto rank = [&](const Diagnostic& finding) {
      const auto source =
          std::find(result_.sources.begin(), result_.sources.end(), finding.where.source);
      return std::tuple(source - result_.sources.begin(), finding.where.line, finding.where.column);
    };
    std::stable_sort(result_.diagnostics.begin(), result_.diagnostics.end(),
                     [&](const auto& left, const auto& right) { return rank(left) < rank(right); });
  }

 private:
  struct Link {
    std::string path;  // without detours, to be compared
    std::string shown;
    Location extended_at;  // the word that led here
  };

  void report(Diagnostic finding) { result_.diagnostics.push_back(std::move(finding)); }

  /// One file with all that it extends; nothing where it cannot be read or is no TOML.
  std::optional<Node> read(const std::string& path, const std::string& shown,
                           const Location& asked) {
    const auto source = fetch(path, shown, asked);
    if (!source) return std::nullopt;
    context_.folders[source.get()] = folder_of(path);
    auto parsed = parse_toml(source);
    if (!parsed.problems.empty()) {
      for (auto& problem : parsed.problems) {
        if (asked) problem.related.push_back({"extended here", asked});
        report(std::move(problem));
      }
      return std::nullopt;
    }
    auto& root = parsed.root;
    name_elements(root);
    chain_.push_back({std::filesystem::path(path).lexically_normal().string(), shown, asked});
    auto merged = bases(root, path, shown);
    chain_.pop_back();
    if (!merged) return std::move(root);
    merge_over(*merged, std::move(root));
    return merged;
  }

  SourcePtr fetch(const std::string& path, const std::string& shown, const Location& asked) {
    auto source = std::make_shared<Source>(Source{shown, {}});
    // Known also where it cannot be read: findings point at it.
    result_.sources.push_back(source);
    try {
      source->text = world_.read(path);
      if (source->text.size() > largest_profile)
        throw Error("the file is larger than " + format_size(largest_profile));
    } catch (const Error& error) {
      auto finding = error.diagnostics().front();
      finding.where = asked ? asked : Location{source, 0, 0, 1};
      if (asked) {
        finding.message = in_backticks(shown) + ": " + finding.message;
        finding.help = {"`extends` takes a path relative to this file, or the name of a profile"};
      }
      report(std::move(finding));
      return nullptr;
    }
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (source->text.starts_with(byte_order_mark)) source->text.erase(0, byte_order_mark.size());
    return source;
  }

  /// What `extends` says, laid over each other in its order; nothing where it says nothing.
  std::optional<Node> bases(Node& root, const std::string& path, const std::string& shown) {
    const auto* member = root.member("extends");
    if (member == nullptr) return std::nullopt;
    const auto value = member->value;
    std::vector<const Node*> names;
    if (value.is(Node::Kind::array)) {
      for (const auto& item : value.items) names.push_back(&item);
    } else {
      names.push_back(&value);
    }
    std::optional<Node> merged;
    for (const auto* name : names) {
      auto base = extend(*name, path, shown);
      if (!base) continue;
      std::erase_if(base->members, [](const auto& each) { return each.key == "extends"; });
      if (merged) {
        merge_over(*merged, std::move(*base));
      } else {
        merged = std::move(base);
      }
    }
    return merged;
  }

  std::optional<Node> extend(const Node& name, const std::string& path, const std::string& shown) {
    if (!name.is(Node::Kind::string)) {
      report(error_at(name.where, "`extends` needs the path or the name of a profile, not " +
                                      std::string(kind_words(name.kind)))
                 .with_help("write extends = \"base.toml\", or a list of several"));
      return std::nullopt;
    }
    const auto& text = name.text;
    if (trim(text).empty()) {
      report(error_at(name.where, "`extends` names nothing").with_help("leave the key out"));
      return std::nullopt;
    }
    std::string found;
    if (text.find('/') != std::string::npos || text.ends_with(".toml") || text.starts_with('~')) {
      const auto expanded = expand_variables(text, world_.home, world_.environment);
      if (expanded.problem) {
        report(problem_at(name, *expanded.problem));
        return std::nullopt;
      }
      found = absolute_path(expanded.text, folder_of(path));
    } else {
      const auto known = world_.find ? world_.find(text, folder_of(path)) : std::nullopt;
      if (!known) {
        report(error_at(name.where, "there is no profile named " + in_backticks(text))
                   .with_help("a file beside this one is written \"" + text + ".toml\""));
        return std::nullopt;
      }
      // What is built in has a name of its own and no path.
      found = is_builtin_image(*known) ? *known : absolute_path(*known, folder_of(path));
    }
    const auto found_shown = shown_as(found, path, shown);
    const auto plain = std::filesystem::path(found).lexically_normal().string();
    const auto cycle = std::find_if(chain_.begin(), chain_.end(),
                                    [&](const Link& link) { return link.path == plain; });
    if (cycle != chain_.end() || chain_.size() > longest_chain) {
      report_cycle(name.where, cycle);
      return std::nullopt;
    }
    return read(found, found_shown, name.where);
  }

  void report_cycle(const Location& where, std::vector<Link>::const_iterator from) {
    if (from == chain_.end()) {
      report(error_at(where, "profiles extend each other more than " +
                                 std::to_string(longest_chain) + " levels deep"));
      return;
    }
    auto finding = error_at(where, in_backticks(from->shown) + " extends itself");
    if (chain_.end() - from > 1) {
      finding.message += ": " + from->shown;
      for (auto link = from + 1; link != chain_.end(); ++link) {
        finding.message += " -> " + link->shown;
        finding.related.push_back(
            {std::prev(link)->shown + " extends " + link->shown, link->extended_at});
      }
      finding.message += " -> " + from->shown;
    }
    finding.help.emplace_back("a profile cannot build on itself: move what both need into a third");
    report(std::move(finding));
  }

  /// A base is called as the profile itself is: relative where that is, absolute where not.
  static std::string shown_as(const std::string& found, const std::string& path,
                              const std::string& shown) {
    const auto folder = folder_of(path) == "/" ? "/" : folder_of(path) + '/';
    if (!found.starts_with(folder)) return found;
    const auto slash = shown.rfind('/');
    return (slash == std::string::npos ? "" : shown.substr(0, slash + 1)) +
           found.substr(folder.size());
  }

  void set(Node& root, const std::string& words, const std::string& path) {
    auto source = std::make_shared<Source>(Source{"--set", words});
    context_.folders[source.get()] = world_.folder.empty() ? folder_of(path) : world_.folder;
    result_.sources.push_back(source);
    apply_setting(root, source, result_.diagnostics);
  }

  void note_images(const Node& root) {
    const auto* images = root.find("image");
    if (images == nullptr) return;
    for (const auto& image : images->items) {
      if (auto name = image.string_at("name")) context_.image_names.push_back(std::move(*name));
    }
  }

  const ProfileWorld& world_;
  LoadedProfile& result_;
  ReadContext context_;
  std::vector<Link> chain_;
};

}  // namespace

LoadedProfile load_profile(const std::string& path, const std::string& shown,
                           const std::vector<std::string>& settings, const ProfileWorld& world) {
  LoadedProfile result;
  Loader loader(world, result);
  loader.run(path, shown, settings);
  loader.sort_findings();
  return result;
}

}  // namespace qlaunch
