// SPDX-License-Identifier: MIT
#include "plan/seed/seed.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "plan/seed/credentials.hpp"
#include "plan/seed/public_keys.hpp"
#include "plan/seed/texts.hpp"
#include "plan/seed/told.hpp"
#include "plan/warm.hpp"

#include <algorithm>

namespace qlaunch::planner {

namespace {

bool told_by(const Profile& profile, GuestVia way) {
  const auto& via = profile.guest.via;
  return std::find(via.begin(), via.end(), way) != via.end();
}

bool anything_to_tell(const Profile& profile) {
  return profile.guest.present ||
         std::any_of(profile.shares.begin(), profile.shares.end(),
                     [](const Share& share) { return !share.mount.empty(); });
}

/// What people know a key by.
std::string name_of_key(const std::string& line) {
  const auto body = seed::key_body(line);
  const auto comment = trim(std::string_view(line).substr(body.size()));
  constexpr std::size_t enough = 12;
  if (!comment.empty()) return in_backticks(printable(comment));
  return in_backticks("..." + body.substr(body.size() - std::min(body.size(), enough)));
}

void check_key_room(Draft& draft, const seed::Told& told) {
  const auto room = seed::keys_with_room(told);
  const std::string most = "a credential has room for 4 KiB of keys";
  if (!room.named_fit) {
    draft.error("guest.ssh_keys", "these keys do not fit: " + most)
        .help.emplace_back("name fewer of them, or write via = [\"volume\"]");
  } else if (!room.left_out.empty()) {
    std::vector<std::string> names;
    for (const auto& key : room.left_out) names.push_back(name_of_key(key));
    draft
        .warning("guest.ssh_keys", "the guest is not told of all keys of the host: " + most +
                                       "; left out: " + join(names, ", "))
        .help.emplace_back("name those that are needed instead of \"auto\"");
  }
}

/// By file, as the profile's own credentials, which win.
void add_credentials(Draft& draft, const seed::Told& told) {
  const auto& own = draft.profile.guest.credentials;
  if (told.login() != "root" && !own.contains("tmpfiles.extra")) check_key_room(draft, told);
  for (const auto& [name, text] : seed::credentials(told)) {
    if (own.contains(name)) continue;
    const auto path = draft.plan.paths.runtime + "/credential-" + name;
    std::string folder;
    if (told.own_keys) folder = draft.plan.paths.data + "/ssh";
    // A newline within the text is the guest's to read: SMBIOS ends a string with a zero byte.
    draft.prepare({WriteFile{path, "io.systemd.credential:" + name + '=' + text, folder},
                   draft.because("guest.via",
                                 "what the guest is told, by file so that it stands "
                                 "in no process list")});
    draft.option({"-smbios", "type=11,path=" + escape_commas(path)},
                 draft.because("guest.via", "for a systemd that has no other way to be told"));
  }
  if (told.own_keys) draft.need_folder(draft.plan.paths.data, "this VM's lasting files");
}

/// The user's own file as it is, or what it says and what the profile says in one.
std::string user_data(Draft& draft, const seed::Told& told) {
  auto config = seed::cloud_config(told);
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

/// `root=/dev/vda` is to mean the same with and without the volume. On PCI that is behind the
/// disks; a microvm gives its places out from the last to the first, and guests count from the
/// first.
void put_behind_disks(Draft& draft) {
  if (draft.board != Board::microvm) return;
  auto& arguments = draft.plan.qemu.arguments;
  const auto first = std::find_if(arguments.begin(), arguments.end(), [](const Argument& argument) {
    return argument.words.front() == "-blockdev";
  });
  std::rotate(first, arguments.end() - 2, arguments.end());
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

/// What the guest knows since before its state was saved, and what it has said.
void take_from_state(Draft& draft, const std::string& ssh_folder, const std::string& state) {
  draft.prepare({MakeFolder{ssh_folder}, Draft::by_rule("the VM's own keys")});
  draft.prepare({MakeFolder{ssh_folder + "/keys"}, Draft::by_rule("the VM's own keys")});
  for (const auto* key : ssh_key_files) {
    draft.prepare({CopyFile{ssh_folder + "/keys/" + key, state + '/' + key},
                   draft.because("start.warm", "the guest knows these keys")});
  }
  draft.prepare({CopyFile{draft.plan.paths.state + "/provision.log", state + "/provision.log"},
                 draft.because("start.warm", "what the guest said before it was saved")});
}

}  // namespace

void add_seed(Draft& draft) {
  const bool volume = told_by(draft.profile, GuestVia::volume);
  const bool credentials = told_by(draft.profile, GuestVia::credentials);
  if (!anything_to_tell(draft.profile) || (!volume && !credentials)) return;
  const auto told = seed::gather(draft);
  draft.plan.guest.hostname = told.hostname;
  if (credentials) add_credentials(draft, told);
  if (!volume) return;
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
  if (draft.input.warm && !draft.input.warm->folder.empty())
    take_from_state(draft, make.ssh_folder, draft.input.warm->folder);
  add_drive(draft, make.path);
  put_behind_disks(draft);
  add_port(draft);
  draft.prepare(
      {std::move(make), draft.because("guest",
                                      "for cloud-init, and for NixOS images made for Lima; made "
                                      "anew only where it would say something else")});
}

}  // namespace qlaunch::planner
