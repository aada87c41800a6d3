// SPDX-License-Identifier: MIT
#include "cli/image.hpp"

#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "profile/expand.hpp"
#include "profile/syntax.hpp"
#include "vm/catalog.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::string here() {
  std::error_code ignored;
  return std::filesystem::current_path(ignored).string();
}

/// A file of this host rather than a profile.
bool is_local_image(const std::string& word) {
  if (word.ends_with(".toml") || word.starts_with(builtin_prefix)) return false;
  return word.find('/') != std::string::npos || is_image_path(word) ||
         file_fact(word).kind == FileFact::Kind::file;
}

void check_digest(const std::string& option, const std::string& text,
                  std::optional<Problem> (*check)(std::string_view)) {
  if (text.empty()) return;
  if (const auto problem = check(text)) {
    UsageError error("`--" + option + "`: " + problem->message);
    for (const auto& help : problem->help) error.help(help);
    throw error;
  }
}

std::uint64_t limit_of(const ImageOptions& options) {
  if (options.limit.empty()) return 0;
  try {
    return parse_size(options.limit);
  } catch (const Error& error) {
    auto diagnostics = error.diagnostics();
    diagnostics.front().message = "`--limit`: " + diagnostics.front().message;
    throw Error(std::move(diagnostics), ExitCode::usage);
  }
}

PullWant by_url(const ImageOptions& options) {
  PullWant want;
  want.url = url_of(options.words.front(), here());
  if (const auto problem = check_url(want.url)) {
    UsageError error(problem->message);
    for (const auto& help : problem->help) error.help(help);
    throw error;
  }
  check_digest("sha512", options.sha512, check_sha512);
  check_digest("sha256", options.sha256, check_sha256);
  if (!options.sha512.empty() && !options.sha256.empty())
    throw UsageError("one digest is enough: `--sha512` or `--sha256`");
  want.digest = options.sha512 + options.sha256;
  want.algorithm = options.sha256.empty() ? "sha512" : "sha256";
  if (options.insecure && !want.digest.empty())
    throw UsageError("`--insecure-no-digest` and a digest contradict each other");
  if (!options.format.empty() && options.format != "qcow2" && options.format != "raw")
    throw UsageError("`--format` takes qcow2 or raw, not " + in_backticks(options.format));
  want.format = options.format == "raw" ? DiskFormat::raw : DiskFormat::qcow2;
  want.insecure = options.insecure;
  return want;
}

/// Those for this architecture.
std::vector<PullWant> by_profile(const ImageOptions& options) {
  const auto path = find_profile(options.words.front());
  if (!options.sha512.empty() || !options.sha256.empty() || !options.format.empty() ||
      options.insecure)
    throw UsageError("a profile says itself what its images are: digests and formats go with a URL")
        .help("a file of this folder is written ./" + options.words.front());
  auto loaded = open_profile(path, {});
  if (has_errors(loaded.diagnostics)) throw ProfileError(std::move(loaded.diagnostics));
  std::vector<PullWant> wants;
  std::string others;
  for (const auto& image : loaded.profile.images) {
    if (!image.arch.empty() && image.arch != "x86_64") {
      others = image.arch;
      continue;
    }
    PullWant want;
    want.name = image.name;
    want.url = image.url;
    want.algorithm = image.sha512.empty() ? "sha256" : "sha512";
    want.digest = image.sha512.empty() ? image.sha256 : image.sha512;
    want.format = image.format;
    wants.push_back(std::move(want));
  }
  if (wants.empty())
    throw UsageError("profile " + in_backticks(options.words.front()) +
                     (others.empty() ? " has no [[image]]"
                                     : " has an [[image]] for " + in_backticks(others) +
                                           " only, not for `x86_64`"));
  return wants;
}

Json json_of(const PullWant& want, const Pulled& pulled) {
  return {{"name", want.name.empty() ? Json() : Json(want.name)},
          {"url", without_credentials(want.url)},
          {"algorithm", pulled.name.algorithm},
          {"digest", pulled.name.digest},
          {"format", pulled.name.format == DiskFormat::qcow2 ? "qcow2" : "raw"},
          {"file", pulled.kept ? Json(pulled.path) : Json()},
          {"was_there", pulled.was_there}};
}

std::string sentence(const PullWant& want, const Pulled& pulled) {
  const auto who = want.name.empty() ? without_credentials(want.url) : want.name;
  return printable(who) + (pulled.was_there ? ": was there already, " : ": downloaded, ") +
         short_digest(pulled.name) + ", " + format_size_rounded(file_fact(pulled.path).size) + '\n';
}

Error not_trusted(const PullWant& want) {
  const auto url = shell_quote(without_credentials(want.url));
  Error error("nothing says what the digest of " + in_backticks(without_credentials(want.url)) +
              " has to be: it is downloaded, but not used");
  error.help(
      "compare the digest above with what its publisher gives, and put the lines into a "
      "profile: the next start takes what is downloaded");
  error.help("`--insecure-no-digest` takes it as it is, and remembers that");
  return error;
}

}  // namespace

void add_image(CLI::App& app, ImageOptions& options) {
  add_word(app, options.action, "ACTION", "pull, list, verify or prune");
  add_words(app, options.words, "WORD",
            "for pull a URL, a file, or a profile, whose images are then fetched", false);
  add_text(app, options.sha512, "--sha512", "HEX", "what the SHA-512 of the download has to be");
  add_text(app, options.sha256, "--sha256", "HEX", "the same with SHA-256");
  add_flag(app, options.insecure, "--insecure-no-digest",
           "take it without a digest, whatever it is, and remember that");
  add_text(app, options.format, "--format", "FORMAT",
           "what it is kept as, qcow2 or raw; default: qcow2, as in a profile");
  add_text(app, options.limit, "--limit", "SIZE",
           "refuse what is larger, packed or unpacked; default: " + format_size(usual_limit));
  add_timeout(app, options.timeout, "give up when nothing has come for so long; default: 30s");
  add_flag(app, options.yes, "--yes,-y", "prune without asking");
  add_json(app, options.json, "print objects; the keys are below");
}

int pull_images(const ImageOptions& options, Terminal& terminal) {
  if (options.words.size() != 1)
    throw UsageError(options.words.empty() ? "`image pull` needs a URL, a file or a profile"
                                           : "`image pull` takes one URL, file or profile")
        .help("as in `qlaunch image pull https://example.org/debian.qcow2 --sha512 HEX`");
  const auto& word = options.words.front();
  const bool by_itself = is_url(word) || is_local_image(word);
  auto wants = by_itself ? std::vector{by_url(options)} : by_profile(options);

  const InterruptGuard guard;
  Progress progress(terminal);
  PullHooks hooks;
  hooks.step = [&](const std::string& text) { progress.step(text); };
  hooks.progress = [&](const PullProgress& how_far) { progress.download(how_far); };
  hooks.interrupted = InterruptGuard::interrupted;
  Json all = Json::array();
  bool trusted = true;
  for (auto& want : wants) {
    want.limit = limit_of(options);
    if (options.timeout) want.patience = *options.timeout;
    Pulled pulled;
    try {
      pulled = pull_image(state_roots().cache, want, hooks);
    } catch (const Error&) {
      progress.done();
      if (!InterruptGuard::interrupted()) throw;
      terminal.say("interrupted; the same command goes on from what is downloaded\n");
      return InterruptGuard::exit_code();
    }
    progress.done();
    if (options.json) {
      all.push_back(json_of(want, pulled));
    } else if (want.digest.empty()) {
      terminal.print(profile_lines(want.url, pulled.name));
    } else {
      terminal.result(sentence(want, pulled));
    }
    if (!pulled.kept) terminal.complain(not_trusted(want));
    trusted = trusted && pulled.kept;
  }
  if (options.json) {
    const auto& out = by_itself ? all.front() : all;
    terminal.print(out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
  }
  return static_cast<int>(trusted ? ExitCode::done : ExitCode::failed);
}

int image_command(const ImageOptions& options, Terminal& terminal) {
  const auto& action = options.action;
  if (action == "pull") return pull_images(options, terminal);
  using Action = int (*)(const ImageOptions&, Terminal&);
  for (const auto& [name, run] : {std::pair<std::string_view, Action>{"list", list_images},
                                  {"ls", list_images},
                                  {"verify", verify_images},
                                  {"prune", prune_images}}) {
    if (action != name) continue;
    if (!options.words.empty())
      throw UsageError("one word too many for `image " + action +
                       "`: " + in_backticks(options.words.front()));
    return run(options, terminal);
  }
  UsageError error("`image` has no action " + in_backticks(action));
  if (const auto near = nearest(action, {"pull", "list", "verify", "prune"}))
    error.help("did you mean `qlaunch image " + *near + "`?");
  throw std::move(error).help("its actions are pull, list, verify and prune");
}

}  // namespace qlaunch
