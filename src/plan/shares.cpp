// SPDX-License-Identifier: MIT
#include "plan/shares.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"
#include "plan/identity.hpp"

namespace qlaunch::planner {

namespace {

const char* security_word(SecurityModel model) {
  switch (model) {
    case SecurityModel::mapped_xattr:
      return "mapped-xattr";
    case SecurityModel::mapped_file:
      return "mapped-file";
    case SecurityModel::passthrough:
      return "passthrough";
    case SecurityModel::none:
      break;
  }
  return "none";
}

void check_path(Draft& draft, std::size_t index) {
  const auto& share = draft.profile.shares[index];
  const auto key = key_of("share", index, "path");
  const auto fact = draft.file(share.path);
  if (fact.kind == FileFact::Kind::missing) {
    draft.error(key, "the folder to share, " + in_backticks(share.path) + ", does not exist");
  } else if (fact.kind != FileFact::Kind::folder) {
    draft.error(key, in_backticks(share.path) + " is not a folder, and only folders are shared");
  } else if (!fact.readable) {
    draft.error(key, "the folder to share, " + in_backticks(share.path) + ", cannot be read");
  }
}

/// What commands have to know of it; its device stands last in the plan.
void note_share(Draft& draft, std::size_t index, const std::string& id) {
  const auto& share = draft.profile.shares[index];
  const auto& words = draft.plan.qemu.arguments.back().words;
  if (words.size() != 2 || words.front() != "-device") return;
  draft.plan.shares.push_back({share.tag, share.path, share.driver == ShareDriver::virtiofs,
                               share.readonly, share.mount == "same" ? share.path : share.mount,
                               share.on_snapshot == OnSnapshot::detach, id, words.back()});
}

/// A port of the share's own: what lies on the root bus itself cannot be unplugged.
std::string add_port(Draft& draft, std::size_t index, const std::string& key) {
  constexpr std::int64_t first = 128;
  const auto number = first + static_cast<std::int64_t>(index);
  auto id = qemu_id("port-", draft.profile.shares[index].tag);
  draft.device({{"driver", "pcie-root-port"},
                {"id", id},
                {"bus", "pcie.0"},
                {"chassis", number},
                {"slot", number}},
               draft.because(key,
                             "QEMU cannot save a virtiofs device: it is unplugged for that, which "
                             "takes a port of its own"),
               key);
  return id;
}

void add_9p(Draft& draft, std::size_t index) {
  const auto& share = draft.profile.shares[index];
  const auto key = key_of("share", index);
  if (share.security_model == SecurityModel::passthrough && draft.facts.uid != 0) {
    draft
        .warning(key_of("share", index, "security_model"),
                 "security_model = \"passthrough\" sets owners on the host, which takes root")
        .help.emplace_back("use \"mapped-xattr\", or \"none\" to leave owners alone");
  }
  const auto id = qemu_id("share-", share.tag);
  std::string text = "local,id=" + id + ",path=" + escape_commas(share.path) +
                     ",security_model=" + security_word(share.security_model);
  if (share.readonly) text += ",readonly=on";
  text += ",multidevs=" + share.multidevs;
  draft.option(
      {"-fsdev", text},
      draft.because(key, share.readonly ? "QEMU itself serves the folder by 9p and refuses to write"
                                        : "QEMU itself serves the folder by 9p"));
  draft.device({{"driver", draft.virtio("virtio-9p")},
                {"id", "dev-" + id},
                {"fsdev", id},
                {"mount_tag", share.tag}},
               draft.because(key, "the guest mounts it by this tag"), key);
  note_share(draft, index, "dev-" + id);
}

/// libfuse's option parser, which the C virtiofsd uses, splits at commas and takes a backslash as
/// an escape.
std::string escape_fuse(std::string_view value) {
  std::string out;
  for (const char character : value) {
    if (character == ',' || character == '\\') out += '\\';
    out += character;
  }
  return out;
}

std::vector<Argument> c_arguments(const Draft& draft, std::size_t index) {
  const auto& share = draft.profile.shares[index];
  const std::string cache = share.cache == "never" ? "none" : share.cache;
  std::string options = "source=" + escape_fuse(share.path);
  if (!cache.empty()) options += ",cache=" + cache;
  if (share.xattr || share.posix_acl) options += ",xattr";
  if (share.posix_acl) options += ",posix_acl";
  return {{{"-o", options},
           draft.because(key_of("share", index, "path"),
                         "the virtiofsd of QEMU up to 7.2; commas in a path are escaped as libfuse "
                         "reads them")}};
}

std::vector<Argument> rust_arguments(const Draft& draft, std::size_t index) {
  const auto& share = draft.profile.shares[index];
  const auto key = key_of("share", index, "path");
  std::vector<Argument> out{
      {{"--shared-dir=" + share.path}, draft.because(key, "what the guest sees")}};
  if (!share.cache.empty())
    out.push_back({{"--cache=" + share.cache},
                   draft.because(key_of("share", index, "cache"),
                                 "how long the guest may keep what "
                                 "it has read")});
  if (share.xattr || share.posix_acl)
    out.push_back({{share.posix_acl ? "--posix-acl" : "--xattr"},
                   draft.because(key_of("share", index, share.posix_acl ? "posix_acl" : "xattr"),
                                 "attributes beyond owner, mode and times")});
  if (share.readonly)
    out.push_back(
        {{"--readonly"},
         draft.because(key_of("share", index, "readonly"),
                       "enforced here, on the host's side: a guest may mount as it likes")});
  if (draft.facts.uid == 0) {
    out.push_back(
        {{"--sandbox=namespace"}, Draft::by_rule("sees nothing of the host but the folder")});
    return out;
  }
  out.push_back(
      {{"--sandbox=none"},
       Draft::by_rule("an ordinary user's namespace maps one owner only, and making files "
                      "as another then fails with EINVAL")});
  if (!share.readonly && draft.facts.virtiofsd_translates) {
    const auto squash = [](unsigned id) {
      return "squash-guest:0:" + std::to_string(id) + ":4294967295";
    };
    out.push_back({{"--translate-uid=" + squash(draft.facts.uid)},
                   Draft::by_rule("whoever writes in the guest, on the host it is you")});
    out.push_back(
        {{"--translate-gid=" + squash(draft.facts.gid)}, Draft::by_rule("the same for groups")});
  }
  return out;
}

Helper make_helper(Draft& draft, std::size_t index) {
  const auto& share = draft.profile.shares[index];
  const bool is_c = draft.facts.virtiofsd_kind == VirtiofsdKind::c;
  Helper helper;
  helper.name = qemu_id("virtiofsd-", share.tag);
  helper.serves = "share " + in_backticks(share.tag);
  helper.socket = draft.socket_path(helper.name + ".sock");
  helper.socket_by_descriptor = draft.input.sockets == SocketStyle::descriptor;
  helper.reason =
      draft.because(key_of("share", index), "virtiofs is served by a process of its own");
  helper.command.program = draft.facts.virtiofsd;
  if (helper.socket_by_descriptor) {
    helper.command.descriptors.push_back({3, helper.name, helper.socket});
    helper.command.arguments.push_back(
        {{"--fd=3"}, Draft::by_rule("a socket that listens already: nothing to wait for")});
  } else {
    helper.command.arguments.push_back(
        {{"--socket-path=" + helper.socket}, Draft::by_rule("where QEMU reaches it")});
  }
  auto more = is_c ? c_arguments(draft, index) : rust_arguments(draft, index);
  for (auto& one : more) helper.command.arguments.push_back(std::move(one));
  // The C one has no switch for it.
  if (is_c && share.readonly) helper.readonly_folder = share.path;
  // And it makes namespaces and changes owners, which only root may.
  helper.user_namespace = is_c && draft.facts.uid != 0;
  return helper;
}

void add_virtiofs(Draft& draft, std::size_t index) {
  const auto& share = draft.profile.shares[index];
  const auto key = key_of("share", index);
  if (draft.facts.virtiofsd.empty()) {
    draft
        .error(key_of("share", index, "driver"),
               "a virtiofs share needs virtiofsd, which is not installed")
        .help.push_back(install_help("virtiofsd") + ", or use driver = \"9p\"");
    return;
  }
  auto helper = make_helper(draft, index);
  if (helper.user_namespace && !draft.facts.namespace_problem.empty()) {
    draft
        .error(
            key_of("share", index, "driver"),
            "this virtiofsd (" + draft.facts.virtiofsd +
                ") serves an ordinary user only in a user namespace, and this host gives none: " +
                draft.facts.namespace_problem)
        .help.emplace_back(
            "use driver = \"9p\", or install the newer virtiofsd written in Rust; `qlaunch doctor` "
            "says how to allow user namespaces");
    return;
  }
  draft.option({"-chardev", "socket,id=" + helper.name + ",path=" + escape_commas(helper.socket)},
               draft.because(key, "virtiofsd's socket"));
  const auto id = qemu_id("share-", share.tag);
  Value device{{"driver", draft.virtio("vhost-user-fs")},
               {"id", id},
               {"chardev", helper.name},
               {"tag", share.tag},
               {"queue-size", share.queue_size}};
  if (draft.board == Board::q35) device["bus"] = add_port(draft, index, key);
  draft.device(device, draft.because(key, "the guest mounts it by this tag"), key);
  note_share(draft, index, id);
  draft.plan.helpers.push_back(std::move(helper));
}

}  // namespace

void add_shares(Draft& draft) {
  for (std::size_t index = 0; index < draft.profile.shares.size(); ++index) {
    check_path(draft, index);
    if (draft.profile.shares[index].driver == ShareDriver::p9) {
      add_9p(draft, index);
    } else {
      add_virtiofs(draft, index);
    }
  }
}

}  // namespace qlaunch::planner
