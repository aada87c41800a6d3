// SPDX-License-Identifier: MIT
#include "cli/disk_text.hpp"

#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"

#include <array>
#include <ctime>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::string date_text(std::int64_t seconds, const char* format, bool local) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  if (local) {
    localtime_r(&time, &parts);
  } else {
    gmtime_r(&time, &parts);
  }
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), format, &parts);
  return text.data();
}

std::string sizes(const ImageInfo& image) {
  return format_size_rounded(image.virtual_size) + ", " +
         format_size_rounded(image.allocated_size) + " on disk";
}

std::string chain_text(const DiskFacts& facts) {
  std::vector<std::string> lines;
  for (std::size_t at = 1; at < facts.chain.size(); ++at) {
    const auto& image = facts.chain[at];
    lines.push_back(printable(image.path) + " (" + image.format + ", " + sizes(image) + ')');
  }
  return join(lines, "\n");
}

std::string snapshots_text(const ImageInfo& image) {
  std::vector<std::string> lines;
  for (const auto& snapshot : image.snapshots) {
    auto line = printable(snapshot.tag) + ", " + date_text(snapshot.date, "%Y-%m-%d %H:%M", true);
    if (snapshot.vm_state_size > 0)
      line += ", VM state " + format_size_rounded(snapshot.vm_state_size);
    lines.push_back(std::move(line));
  }
  return join(lines, "\n");
}

std::string users_text(const DiskFacts& facts) {
  if (facts.use == ImageUse::none) return "nobody";
  std::vector<std::string> lines;
  for (const auto& user : facts.users) {
    const auto process = describe_holders({user.process});
    lines.push_back((user.vm.empty() ? process : "VM " + user.vm + ", " + process) +
                    (user.process.writes ? "" : ", which only reads"));
  }
  return lines.empty() ? "another program" : join(lines, "\n");
}

std::string needs_text(const DiskFacts& facts) {
  std::vector<std::string> lines;
  for (const auto& need : facts.needs) {
    if (need.overlay.empty()) {
      if (need.vm != facts.target.vm)
        lines.push_back("VM " + need.vm + ", whose disk " + need.disk + " it is");
      continue;
    }
    lines.push_back("VM " + need.vm + ", " + (need.disk.empty() ? "" : "disk " + need.disk + ", ") +
                    "by its overlay " + printable(need.overlay));
  }
  return join(lines, "\n");
}

std::string state_text(const DiskFacts& facts) {
  std::vector<std::string> lines;
  if (!facts.problem.empty()) lines.push_back(facts.problem);
  if (!facts.chain.empty() && facts.chain.front().corrupt)
    lines.emplace_back("marked as corrupt: `qlaunch disk check` tells more");
  if (!facts.chain.empty() && facts.chain.front().dirty) lines.emplace_back("not closed properly");
  return join(lines, "\n");
}

Json image_json(const ImageInfo& image) {
  return {{"file", image.path},
          {"format", image.format},
          {"virtual_size", image.virtual_size},
          {"allocated_size", image.allocated_size}};
}

Json or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json disk_json(const DiskFacts& facts) {
  Json out{{"name", facts.target.name()},
           {"vm", or_null(facts.target.vm)},
           {"disk", or_null(facts.target.disk)},
           {"file", facts.target.path},
           {"format", nullptr},
           {"virtual_size", nullptr},
           {"allocated_size", nullptr},
           {"readonly", facts.target.readonly},
           {"problem", or_null(facts.problem)},
           {"corrupt", false},
           {"dirty", false},
           {"chain", Json::array()},
           {"snapshots", Json::array()},
           {"users", Json::array()},
           {"needed_by", Json::array()}};
  if (!facts.chain.empty()) {
    const auto& image = facts.chain.front();
    out.update(image_json(image));
    out["corrupt"] = image.corrupt;
    out["dirty"] = image.dirty;
    for (std::size_t at = 1; at < facts.chain.size(); ++at)
      out["chain"].push_back(image_json(facts.chain[at]));
    for (const auto& snapshot : image.snapshots)
      out["snapshots"].push_back({{"tag", snapshot.tag},
                                  {"id", snapshot.id},
                                  {"date", date_text(snapshot.date, "%Y-%m-%dT%H:%M:%SZ", false)},
                                  {"vm_state_size", snapshot.vm_state_size}});
  }
  for (const auto& user : facts.users)
    out["users"].push_back({{"vm", or_null(user.vm)},
                            {"pid", user.process.pid},
                            {"program", user.process.program},
                            {"writes", user.process.writes}});
  for (const auto& need : facts.needs)
    out["needed_by"].push_back(
        {{"vm", need.vm}, {"disk", or_null(need.disk)}, {"overlay", or_null(need.overlay)}});
  return out;
}

std::string dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string count(std::uint64_t number, const std::string& what) {
  return std::to_string(number) + ' ' + what + (number == 1 ? "" : "s");
}

}  // namespace

std::string disk_text(const DiskFacts& facts, std::optional<int> width) {
  const auto& target = facts.target;
  const auto* image = facts.chain.empty() ? nullptr : &facts.chain.front();
  return facts_table(
      {{"disk", target.vm.empty() ? "" : target.name() + (target.readonly ? ", read-only" : "")},
       {"file", printable(target.path)},
       {"problem", printable_lines(state_text(facts))},
       {"format", image == nullptr ? "" : image->format},
       {"size", image == nullptr ? "" : sizes(*image)},
       {"lies on", chain_text(facts)},
       {"snapshots", image == nullptr ? "" : snapshots_text(*image)},
       {"used by", image == nullptr ? "" : users_text(facts)},
       {"needed by", needs_text(facts)}},
      width);
}

std::string disks_json(const std::vector<DiskFacts>& disks) {
  Json out = Json::array();
  for (const auto& facts : disks) out.push_back(disk_json(facts));
  return dump(out);
}

std::string check_text(const CheckedDisk& disk, bool repaired) {
  const auto& check = disk.check;
  std::vector<std::string> said;
  if (check.corruptions_fixed > 0)
    said.push_back(count(check.corruptions_fixed, "error") + " mended");
  if (check.leaks_fixed > 0) said.push_back(count(check.leaks_fixed, "leaked cluster") + " freed");
  if (check.errors > 0) said.push_back(count(check.errors, "part") + " could not be looked at");
  if (check.corruptions > 0)
    said.push_back(count(check.corruptions, "error") + (repaired ? " could not be mended" : ""));
  if (check.leaks > 0)
    said.push_back(count(check.leaks, "leaked cluster") +
                   (repaired ? "" : ", which only waste space"));
  if (said.empty()) said.emplace_back("no errors");
  return printable(disk.target.name()) + ": " + join(said, "; ") + '\n';
}

std::string checks_json(const std::vector<CheckedDisk>& disks) {
  Json out = Json::array();
  for (const auto& [target, check] : disks)
    out.push_back({{"name", target.name()},
                   {"file", target.path},
                   {"whole", check.whole()},
                   {"errors", check.errors},
                   {"corruptions", check.corruptions},
                   {"leaks", check.leaks},
                   {"corruptions_fixed", check.corruptions_fixed},
                   {"leaks_fixed", check.leaks_fixed}});
  return dump(out);
}

}  // namespace qlaunch
