// SPDX-License-Identifier: MIT
#include "cli/doctor.hpp"

#include "cli/options.hpp"
#include "cli/report_json.hpp"
#include "core/text.hpp"
#include "host/doctor.hpp"
#include "host/paths.hpp"

#include <algorithm>
#include <iterator>

namespace qlaunch {
namespace {

constexpr int mark_width = 9;

/// "warning  kvm        what was found", and how to mend it below.
std::string finding_text(const Finding& finding, std::size_t topic_width,
                         const Terminal& terminal) {
  const auto padded = [](std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
  };
  const std::string indent(mark_width + topic_width, ' ');
  const int room = terminal.prose_width() - static_cast<int>(indent.size());
  const std::string mark = padded(level_name(finding.level), mark_width);
  std::string out = finding.level >= Level::warning ? terminal.bold(mark) : mark;
  out += padded(finding.topic, topic_width) + fold(printable(finding.text), room, indent) + '\n';
  if (finding.mend.empty()) return out;
  const std::string mend = printable_lines(finding.mend);
  // A command is to be copied: breaking its line would make two of it.
  if (mend.starts_with("sudo ")) return out + indent + mend + '\n';
  return out + indent + fold(mend, room, indent) + '\n';
}

/// What belongs together stands together, the first of its topic first.
std::vector<Finding> grouped(const std::vector<Finding>& findings) {
  std::vector<std::string> topics;
  topics.reserve(findings.size());
  for (const auto& each : findings) topics.push_back(each.topic);
  std::vector<Finding> out;
  for (const auto& topic : without_repeats(topics)) {
    std::copy_if(findings.begin(), findings.end(), std::back_inserter(out),
                 [&](const auto& each) { return each.topic == topic; });
  }
  return out;
}

}  // namespace

void add_doctor(CLI::App& app, DoctorOptions& options) {
  add_json(app, options.json, "print an array of objects; the keys are below");
}

int doctor(const DoctorOptions& options, Terminal& terminal) {
  const auto findings = examine_host(state_roots());
  const auto problems = std::count_if(findings.begin(), findings.end(), [](const auto& each) {
    return each.level == Level::problem;
  });
  if (options.json) {
    terminal.print(findings_json(findings));
  } else {
    std::size_t topic_width = 0;
    for (const auto& each : findings) topic_width = std::max(topic_width, each.topic.size() + 2);
    for (const auto& each : grouped(findings))
      terminal.print(finding_text(each, topic_width, terminal));
    terminal.result(problems == 0   ? "\nready to run VMs\n"
                    : problems == 1 ? "\n1 problem\n"
                                    : "\n" + std::to_string(problems) + " problems\n");
  }
  return problems == 0 ? 0 : static_cast<int>(ExitCode::failed);
}

}  // namespace qlaunch
