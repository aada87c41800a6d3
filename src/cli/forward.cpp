// SPDX-License-Identifier: MIT
#include "cli/forward.hpp"

#include "cli/facts.hpp"
#include "cli/options.hpp"
#include "cli/report_json.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "profile/ports.hpp"
#include "vm/catalog.hpp"
#include "vm/forward.hpp"

namespace qlaunch {
namespace {

std::vector<Forward> parse_specs(const std::vector<std::string>& specs) {
  std::vector<Forward> all;
  for (const auto& spec : specs) {
    auto parsed = parse_forward(spec);
    if (parsed.problem) {
      UsageError error(parsed.problem->message);
      for (const auto& help : parsed.problem->help) error.help(help);
      throw error;
    }
    all.insert(all.end(), parsed.forwards.begin(), parsed.forwards.end());
  }
  return all;
}

void print(const std::vector<PlannedForward>& forwards, bool json, Terminal& terminal) {
  if (json) {
    terminal.print(forwards_json(forwards));
    return;
  }
  for (const auto& planned : forwards)
    terminal.print(planned.network + "  " + arrow_text(planned) + '\n');
}

}  // namespace

void add_forward(CLI::App& app, ForwardOptions& options) {
  add_word(app, options.action, "ACTION", "list, add or remove");
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_words(app, options.specs, "FORWARD",
            "as in a profile: 2223:22, auto:80, udp:127.0.0.1:5353:53, 8000-8010:8000-8010; for "
            "remove the host's port will do",
            false);
  add_text(app, options.network, "--network", "NAME",
           "which network to add it to; default: the first of mode \"user\"");
  add_json(app, options.json, "print an array of objects; the keys are below");
}

int forward(const ForwardOptions& options, Terminal& terminal) {
  const auto need_specs = [&] {
    if (options.specs.empty())
      throw UsageError("`forward " + options.action + "` needs a FORWARD")
          .help("as in `qlaunch forward " + options.action + ' ' + shell_quote(options.vm) +
                " 2223:22`");
  };
  if (options.action == "list") {
    if (!options.specs.empty())
      throw UsageError("one word too many for `forward list`: " +
                       in_backticks(options.specs.front()));
    print(list_forwards(find_vm(options.vm)), options.json, terminal);
    return 0;
  }
  if (options.action == "add") {
    need_specs();
    const auto wanted = parse_specs(options.specs);
    print(add_forwards(find_vm(options.vm), wanted, options.network), options.json, terminal);
    return 0;
  }
  if (options.action == "remove" || options.action == "rm") {
    need_specs();
    std::vector<HostEnd> ends;
    for (const auto& spec : options.specs) {
      for (auto& end : parse_host_ends(spec)) ends.push_back(std::move(end));
    }
    const auto removed = remove_forwards(find_vm(options.vm), ends);
    if (options.json) print(removed, true, terminal);
    return 0;
  }
  UsageError error("`forward` has no action " + in_backticks(options.action));
  if (const auto near = nearest(options.action, {"list", "add", "remove"}))
    error.help("did you mean `qlaunch forward " + *near + "`?");
  throw std::move(error).help("its actions are list, add and remove");
}

}  // namespace qlaunch
