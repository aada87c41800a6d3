// SPDX-License-Identifier: MIT
#include "plan/seed/seed.hpp"

#include "core/quote.hpp"
#include "core/units.hpp"
#include "plan/seed/texts.hpp"
#include "plan/seed/told.hpp"

#include <algorithm>

namespace qlaunch::planner {

namespace {

bool wanted(const Profile& profile) {
  const auto& via = profile.guest.via;
  if (std::find(via.begin(), via.end(), GuestVia::volume) == via.end()) return false;
  return profile.guest.present ||
         std::any_of(profile.shares.begin(), profile.shares.end(),
                     [](const Share& share) { return !share.mount.empty(); });
}

/// The user's own file as it is, or what it says and what the profile says in one.
std::string user_data(Draft& draft, const seed::Told& told) {
  const auto config = seed::cloud_config(told);
  if (!told.user_data) return config;
  if (!told.user_data_merged) return *told.user_data;
  if (const auto problem = seed::user_data_problem(*told.user_data)) {
    draft
        .error("guest.user_data",
               in_backticks(draft.profile.guest.user_data) + ' ' + problem->message)
        .help.push_back(problem->help);
    return config;
  }
  return seed::merged_user_data(*told.user_data, config);
}

void check_size(Draft& draft, const std::vector<seed::SeedFile>& files) {
  constexpr std::size_t most = 4 * mib;
  std::size_t size = 0;
  for (const auto& file : files) size += file.content.size();
  if (size <= most) return;
  draft
      .error("guest", "the guest would be told " + format_size(size) + ", and there is room for " +
                          format_size(most))
      .help.emplace_back("share a folder with a [[share]] instead of so many files");
}

void add_drive(Draft& draft, const std::string& path) {
  const Value file{{"driver", "file"},
                   {"node-name", "file-cidata"},
                   {"filename", path},
                   {"read-only", true},
                   {"auto-read-only", false}};
  draft.json_option(
      "-blockdev",
      {{"driver", "raw"}, {"node-name", "cidata"}, {"read-only", true}, {"file", file}},
      draft.because("guest", "what the guest is told, as a volume that it cannot change"));
  draft.device({{"driver", draft.virtio("virtio-blk")}, {"id", "cidata"}, {"drive", "cidata"}},
               draft.because("guest", "no CD drive: in many guests the first user may read those"),
               "guest");
}

/// The file is made anew with each run: see wait_provisioned().
void add_port(Draft& draft) {
  const bool own = draft.input.sockets == SocketStyle::descriptor;
  const auto& folder = own ? draft.plan.paths.state : draft.plan.paths.runtime;
  if (own) draft.need_folder(folder, "logs are kept there");
  draft.plan.provision_log = folder + "/provision.log";
  draft.option(
      {"-chardev", "file,id=provision,append=on,path=" + escape_commas(draft.plan.provision_log)},
      draft.because("guest", "what the guest says of how far it is: by no network"));
  draft.device({{"driver", "virtserialport"},
                {"id", "provision-port"},
                {"bus", draft.serial_bus()},
                {"chardev", "provision"},
                {"name", "io.qlaunch.provision"}},
               draft.because("guest", "the name under which the guest's side looks for it"),
               "guest");
}

}  // namespace

void add_seed(Draft& draft) {
  if (!wanted(draft.profile)) return;
  const auto told = seed::gather(draft);
  draft.plan.guest.hostname = told.hostname;
  MakeSeed make;
  make.files = {{"meta-data", seed::meta_data(told)}, {"user-data", user_data(draft, told)}};
  if (auto network = seed::network_config(told))
    make.files.push_back({"network-config", std::move(*network)});
  for (auto& file : seed::lima_files(told)) make.files.push_back(std::move(file));
  for (auto& file : seed::runner_files(told)) make.files.push_back(std::move(file));
  check_size(draft, make.files);
  const bool own = draft.input.sockets == SocketStyle::descriptor;
  if (own) {
    draft.need_folder(draft.plan.paths.data, "this VM's lasting files");
    make.ssh_folder = draft.plan.paths.data + "/ssh";
    make.path = draft.plan.paths.data + "/cidata.iso";
  } else {
    make.path = draft.plan.paths.runtime + "/cidata.iso";
  }
  add_drive(draft, make.path);
  add_port(draft);
  draft.prepare(
      {std::move(make), draft.because("guest",
                                      "for cloud-init, and for NixOS images made for Lima; made "
                                      "anew only where it would say something else")});
}

}  // namespace qlaunch::planner
