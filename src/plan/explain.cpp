// SPDX-License-Identifier: MIT
#include "plan/explain.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "plan/json_parts.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {

namespace {

using Json = nlohmann::ordered_json;

std::string reason_text(const Reason& reason, int width) {
  std::string text;
  if (reason.where) text = reason.where.short_text() + ": ";
  text += reason.rule;
  constexpr std::string_view indent = "      ";
  return fold(std::string(indent) + printable(text), width, indent) + '\n';
}

std::string command_text(const Command& command, int width) {
  std::string out = "  " + printable(shell_quote(command.program)) + '\n';
  for (const auto& argument : command.arguments)
    out += "    " + printable(shell_quote(argument.words)) + '\n' +
           reason_text(argument.reason, width);
  for (const auto& one : command.variables)
    out += "    " + one.name + '=' + shell_quote(one.value) +
           " in the environment, unless it is set\n" + reason_text(one.reason, width);
  return out;
}

struct Describe {
  std::string operator()(const MakeFolder& it) const { return "folder " + it.path; }
  std::string operator()(const MakeDisk& it) const {
    auto out = "disk " + it.path + " (" + std::string(planner::format_word(it.format));
    if (it.size) out += ", " + format_size(*it.size);
    if (!it.base.empty()) out += ", on " + it.base;
    return out + (it.fresh ? ", new at each start)" : ")");
  }
  std::string operator()(const MakeNvram& it) const {
    return "UEFI variables " + it.path + " from " + it.template_path;
  }
  std::string operator()(const WriteFile& it) const {
    return "file " + it.path + " (" + std::to_string(it.content.size()) + " bytes)";
  }
  std::string operator()(const CopyFile& it) const { return "copy of " + it.from + ": " + it.path; }
  std::string operator()(const WriteHelloImage& it) const { return "hello image " + it.path; }
  std::string operator()(const MakeSeed& it) const {
    return "volume " + it.path + " (" + std::to_string(it.files.size()) + " files)";
  }
};

Json words_of(const Command& command) {
  return command.argv();
}

}  // namespace

std::string explain_plan(const Plan& plan, int width) {
  std::string out;
  if (!plan.preparations.empty()) {
    out += "made first, where it is missing:\n";
    for (const auto& one : plan.preparations)
      out += "    " + printable(std::visit(Describe{}, one.what)) + '\n' +
             reason_text(one.reason, width);
    out += '\n';
  }
  for (const auto& helper : plan.helpers) {
    out += "helper " + printable(helper.name) + ", for the " + printable(helper.serves) + ":\n" +
           reason_text(helper.reason, width) + command_text(helper.command, width);
    if (helper.user_namespace)
      out += "    as root of a user namespace of its own, in which root is you\n" +
             reason_text({{},
                          "this virtiofsd works as root only; what it makes is yours, and users "
                          "of the guest other than root can make nothing"},
                         width);
    if (!helper.readonly_folder.empty())
      out += "    in a mount namespace where " + printable(shell_quote(helper.readonly_folder)) +
             " is read-only\n" + reason_text({{}, "this virtiofsd has no switch for it"}, width);
    out += '\n';
  }
  return out + "QEMU:\n" + command_text(plan.qemu, width);
}

std::string plan_arguments_json(const Plan& plan) {
  Json helpers = Json::array();
  for (const auto& helper : plan.helpers) {
    Json one{{"name", helper.name},
             {"serves", helper.serves},
             {"argv", words_of(helper.command)},
             {"descriptors", planner::descriptors_json(helper.command.descriptors)},
             {"socket", helper.socket}};
    if (!helper.readonly_folder.empty()) one["readonly_folder"] = helper.readonly_folder;
    if (helper.user_namespace) one["user_namespace"] = true;
    helpers.push_back(std::move(one));
  }
  Json preparations = Json::array();
  for (const auto& one : plan.preparations) {
    auto json = planner::preparation_json(one);
    // May be a secret; the record has it, a listing need not.
    if (json.contains("content")) {
      json["size"] = json["content"].get_ref<const std::string&>().size();
      json.erase("content");
    }
    preparations.push_back(std::move(json));
  }
  Json forwards = Json::array();
  for (const auto& one : plan.forwards) forwards.push_back(planner::forward_json(one));
  const Json json{{"name", plan.name},
                  {"machine_type", plan.machine_type},
                  {"accelerator", plan.kvm ? "kvm" : "tcg"},
                  {"qemu",
                   {{"argv", words_of(plan.qemu)},
                    {"default_environment", planner::variables_json(plan.qemu.variables)},
                    {"descriptors", planner::descriptors_json(plan.qemu.descriptors)}}},
                  {"helpers", std::move(helpers)},
                  {"preparations", std::move(preparations)},
                  {"forwards", std::move(forwards)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace qlaunch
