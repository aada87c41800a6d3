// SPDX-License-Identifier: MIT
#include "cli/args.hpp"

#include "cli/options.hpp"
#include "host/own_programs.hpp"
#include "image/hello_image.hpp"
#include "plan/explain.hpp"
#include "plan/script.hpp"
#include "vm/catalog.hpp"
#include "vm/launch.hpp"

namespace qlaunch {
namespace {

std::string script(const Prepared& prepared) {
  ScriptOptions options;
  if (!prepared.facts.qemu_img.empty()) options.qemu_img = prepared.facts.qemu_img;
  for (const auto& each : prepared.plan.preparations) {
    if (std::holds_alternative<MakeSeed>(each.what))
      options.seed_program = own_program("seed", "that makes volumes");
  }
  options.hello_boot_code = hello_boot_code();
  options.hello_size = hello_image_size;
  return plan_script(prepared.plan, options);
}

}  // namespace

void add_args(CLI::App& app, ArgsOptions& options) {
  add_word(app, options.profile, "PROFILE", "a profile: a file, or a name");
  add_settings(app, options.settings);
  add_name(app, options.name, "as `qlaunch up --name` would call the VM");
  add_json(app, options.json, "print the exact argument arrays instead of a script");
  add_flag(app, options.explain, "--explain", "print each argument with the reason for it");
}

int args(const ArgsOptions& options, Terminal& terminal) {
  if (options.json && options.explain)
    throw UsageError("`--json` and `--explain` exclude each other");
  LaunchRequest request;
  request.profile = find_profile(options.profile);
  request.settings = options.settings;
  request.name = options.name;
  const bool as_script = !options.json && !options.explain;
  const auto prepared = prepare(request, as_script ? SocketStyle::path : SocketStyle::descriptor);
  if (!terminal.quiet() && !prepared.warnings.empty()) terminal.complain(prepared.warnings);
  terminal.print(options.json      ? plan_arguments_json(prepared.plan)
                 : options.explain ? explain_plan(prepared.plan, terminal.prose_width())
                                   : script(prepared));
  return 0;
}

}  // namespace qlaunch
