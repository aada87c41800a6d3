// SPDX-License-Identifier: MIT
// A profile and a host to what the guest is told, with everything that is wrong.
#include "core/units.hpp"
#include "facts.hpp"
#include "plan/plan.hpp"
#include "plan/seed/marks.hpp"
#include "plan/seed/proxies.hpp"
#include "plan/seed/public_keys.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

constexpr const char* key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFirst one";
constexpr const char* other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAISecond two";

Profile profile() {
  Profile it;
  it.name = "my_vm";
  it.disks.resize(1);
  it.disks[0].name = "root";
  it.disks[0].size = gib;
  it.networks.resize(1);
  it.networks[0].name = "net0";
  it.display.type = DisplayType::none;
  it.guest.present = true;
  it.guest.user = "dev";
  return it;
}

struct Host {
  test::Files files = test::usual_files();
  std::map<std::string, std::string> texts;

  void add(const std::string& path, const std::string& text) {
    files[path] = test::raw_file(text.size());
    texts[path] = text;
  }
  HostFacts facts() const {
    auto out = test::usual_facts(files);
    out.read = [texts = texts](const std::string& path) -> std::optional<std::string> {
      const auto found = texts.find(path);
      if (found == texts.end()) return std::nullopt;
      return found->second;
    };
    return out;
  }
};

PlanInput input() {
  PlanInput it;
  it.paths = {"/run/q/vm", "/data/vm", "/state/vm", "/cache"};
  return it;
}

Planned planned(const Profile& it, const HostFacts& facts) {
  return make_plan(it, facts, input());
}

const MakeSeed* seed_of(const Plan& plan) {
  for (const auto& each : plan.preparations)
    if (const auto* seed = std::get_if<MakeSeed>(&each.what)) return seed;
  return nullptr;
}

std::string file_of(const Planned& it, const std::string& name) {
  const auto* seed = seed_of(it.plan);
  REQUIRE(seed != nullptr);
  for (const auto& file : seed->files)
    if (file.name == name) return file.content;
  return {};
}

std::string errors(const Planned& it) {
  std::string out;
  for (const auto& each : it.diagnostics)
    if (each.severity == Severity::error) out += each.message + '\n';
  return out;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a guest is told through a read-only volume of the VM's own") {
  const auto it = planned(profile(), test::usual_facts());
  REQUIRE(errors(it) == "");
  const auto* seed = seed_of(it.plan);
  REQUIRE(seed != nullptr);
  CHECK(seed->path == "/data/vm/cidata.iso");
  CHECK(seed->ssh_folder == "/data/vm/ssh");
  CHECK(it.plan.provision_log == "/state/vm/provision.log");
  CHECK(it.plan.guest.hostname == "my-vm");
  CHECK(contains(file_of(it, "meta-data"), "local-hostname: my-vm\n"));
  // The user of the host, so that files in shares are theirs.
  CHECK(contains(file_of(it, "user-data"), "    uid: 1000\n"));
  CHECK(contains(file_of(it, "user-data"), host_key_mark));
  // It is no disk of the user's: nothing clones or saves it.
  CHECK(it.plan.disks.size() == 1);
  auto root = test::usual_facts();
  root.uid = 0;
  CHECK_FALSE(contains(file_of(planned(profile(), root), "user-data"), "uid:"));
}

TEST_CASE("the first disk stays the first, whatever the board") {
  for (const auto* board : {"q35", "microvm"}) {
    auto it = profile();
    it.machine.type = board;
    it.machine.balloon = it.machine.rng = false;
    const auto plan = planned(it, test::usual_facts()).plan;
    std::vector<std::string> drives;
    for (const auto& argument : plan.qemu.arguments) {
      const auto& word = argument.words.back();
      if (argument.words.front() != "-device" || !contains(word, "virtio-blk")) continue;
      drives.push_back(contains(word, "\"id\":\"cidata\"") ? "cidata" : "root");
    }
    CAPTURE(board);
    // A microvm gives places out from the last to the first.
    const bool mmio = std::string(board) == "microvm";
    CHECK(drives == (mmio ? std::vector<std::string>{"cidata", "root"}
                          : std::vector<std::string>{"root", "cidata"}));
  }
}

TEST_CASE("nobody is told where nothing is to be told") {
  auto it = profile();
  it.guest.present = false;
  CHECK(seed_of(planned(it, test::usual_facts()).plan) == nullptr);
  it = profile();
  it.guest.via.clear();
  CHECK(seed_of(planned(it, test::usual_facts()).plan) == nullptr);
  it = profile();
  it.guest.present = false;
  it.shares.resize(1);
  it.shares[0].tag = "work";
  it.shares[0].path = "/home/user/workspace";
  it.shares[0].driver = ShareDriver::p9;
  CHECK(seed_of(planned(it, test::usual_facts()).plan) == nullptr);
  it.shares[0].mount = "same";
  const auto told = planned(it, test::usual_facts());
  CHECK(contains(file_of(told, "user-data"),
                 "- [work, \"/home/user/workspace\", 9p, \"trans=virtio,version=9p2000.L,"
                 "msize=524288,rw,nofail\", \"0\", \"0\"]\n"));
}

TEST_CASE("a tag that YAML takes for something else stands in no cloud-config") {
  auto it = profile();
  for (const auto* tag : {"work", "@home", "no", "NULL", "-x", "+1", "7", "_w"}) {
    it.shares.emplace_back();
    it.shares.back().tag = tag;
    it.shares.back().path = "/home/user/workspace";
    it.shares.back().mount = "/mnt/" + std::to_string(it.shares.size());
    it.shares.back().driver = ShareDriver::p9;
  }
  const auto told = planned(it, test::usual_facts());
  const auto config = file_of(told, "user-data");
  CHECK(contains(config, "mounts:\n- [work, \"/mnt/1\", "));
  const auto settings = file_of(told, "qlaunch/settings");
  for (const auto& share : it.shares) {
    CAPTURE(share.tag);
    CHECK(contains(config, '[' + share.tag + ',') == (share.tag == "work"));
    CHECK(contains(settings, "share '" + share.tag + "' '" + share.mount + "' "));
  }
}

TEST_CASE("a script for pasting has no keys of the VM in it") {
  auto how = input();
  how.sockets = SocketStyle::path;
  how.paths.runtime = "/tmp/x";
  const auto it = make_plan(profile(), test::usual_facts(), how);
  const auto* seed = seed_of(it.plan);
  REQUIRE(seed != nullptr);
  CHECK(seed->path == "/tmp/x/cidata.iso");
  CHECK(seed->ssh_folder.empty());
  for (const auto& file : seed->files) CHECK_FALSE(contains(file.content, "\x01"));
}

TEST_CASE("an ephemeral guest has the name of the VM that it starts from") {
  auto how = input();
  how.ephemeral_of = "/data/web";
  auto it = profile();
  it.name = "web-x7k2q";
  const auto of = make_plan(it, test::usual_facts(), how);
  CHECK(of.plan.guest.hostname == "web");
}

TEST_CASE("keys: those of the host, of files, each once") {
  Host host;
  host.add("/keys/team.pub", std::string("# team\n\n") + other + "\r\n" + key + '\n');
  auto facts = host.facts();
  facts.ssh_public_keys = {key};
  auto it = profile();
  it.guest.ssh_keys = {"auto", "/keys/team.pub"};
  const auto text = file_of(planned(it, facts), "qlaunch/settings");
  CHECK(contains(text, std::string("key '") + other + "'\n"));
  const auto first = text.find(key);
  REQUIRE(first != std::string::npos);
  CHECK(text.find(key, first + 1) == std::string::npos);
  it.guest.ssh_keys = {"/keys/team.pub"};
  facts.ssh_public_keys = {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB mine"};
  CHECK_FALSE(contains(file_of(planned(it, facts), "user-data"), "ssh-rsa"));
}

TEST_CASE("a credential holds so many keys, those of the profile first") {
  const auto made = [](char letter, std::size_t size) {
    return "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB" + std::string(size, letter) + ' ' + letter + "@host";
  };
  auto facts = test::usual_facts();
  facts.ssh_public_keys = {made('a', 2000), made('b', 2000), made('c', 100)};
  auto it = profile();
  it.guest.via = {GuestVia::credentials};
  it.guest.ssh_keys = {"auto", made('n', 1000)};
  const auto text_of = [](const Planned& told, const std::string& name) -> std::string {
    for (const auto& each : told.plan.preparations) {
      const auto* file = std::get_if<WriteFile>(&each.what);
      if (file != nullptr && contains(file->path, name)) return file->content;
    }
    return {};
  };
  const auto all = planned(it, facts);
  REQUIRE(errors(all) == "");
  const auto files = text_of(all, "tmpfiles.extra");
  for (const char letter : {'n', 'a', 'c'})
    CHECK(contains(files, std::string(1, letter) + "@host\\n"));
  CHECK_FALSE(contains(files, "b@host"));
  std::string warned;
  for (const auto& each : all.diagnostics)
    if (each.severity == Severity::warning) warned += each.message + '\n';
  CHECK(contains(warned, "left out: `b@host`\n"));
  it.guest.ssh_keys = {made('n', 2000), made('m', 2000)};
  CHECK(contains(errors(planned(it, facts)), "these keys do not fit"));
  // Root's are a credential of their own.
  it.guest.user = "root";
  const auto root = planned(it, facts);
  CHECK(errors(root) == "");
  CHECK(contains(text_of(root, "ssh.authorized_keys.root"), "m@host\n"));
}

TEST_CASE("wrong keys, certificates and files are errors that say what to do") {
  Host host;
  host.add("/k/id", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n");
  host.add("/k/putty.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\n");
  host.add("/k/text", "hello\n");
  host.add("/k/empty", "# nothing\n");
  host.add("/k/ca",
           "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n"
           "-----BEGIN PRIVATE KEY-----\n");
  host.files["/k/big"] = test::raw_file(2 * mib);
  host.files["/k/folder"] = test::folder();
  auto it = profile();
  it.guest.ssh_keys = {"/k/id", "/k/putty.ppk", "/k/text", "/k/empty", "/k/none", "/k/folder"};
  it.guest.ca_certs = {"/k/ca", "/k/text"};
  it.guest.files = {{"/etc/x", "", "/k/big"}};
  it.guest.user_data = "/k/text";
  const auto text = errors(planned(it, host.facts()));
  CHECK(contains(text, "`/k/id` is a private key\n"));
  CHECK(contains(text, "`/k/putty.ppk` is a private key\n"));
  CHECK(contains(text, "`/k/text` is no file of public ssh keys\n"));
  CHECK(contains(text, "`/k/empty` is a file without a key\n"));
  CHECK(contains(text, "`/k/none` does not exist\n"));
  CHECK(contains(text, "`/k/folder` is not a file\n"));
  CHECK(contains(text, "`/k/ca` holds a private key\n"));
  CHECK(contains(text, "`/k/text` holds no certificate in PEM form\n"));
  CHECK(contains(text,
                 "`/k/big` is too big to be told to a guest: it has 2 MiB, and there is room "
                 "for 1 MiB\n"));
  CHECK(contains(text, "`/k/text` is no cloud-config: its first line is `hello`\n"));
}

TEST_CASE("too much in all") {
  auto it = profile();
  for (int count = 0; count < 5; ++count)
    it.guest.files.push_back({"/etc/" + std::to_string(count), std::string(mib, 'x')});
  CHECK(contains(errors(planned(it, test::usual_facts())), "the guest would be told"));
}

TEST_CASE("a user-data that is not merged is handed over as it is") {
  Host host;
  host.add("/u", "Content-Type: text/x-include-url\n\x80");
  auto it = profile();
  it.guest.user_data = "/u";
  it.guest.user_data_merged = false;
  const auto told = planned(it, host.facts());
  CHECK(errors(told) == "");
  CHECK(file_of(told, "user-data") == host.texts["/u"]);
}

TEST_CASE("scripts have names for people and marks for themselves") {
  auto it = profile();
  it.guest.run = {
      {"set -e\n# first\nmake -C /src all # and this goes on and on", RunAs::root, RunWhen::once},
      {"#!/usr/bin/env python3\nprint(1)", RunAs::user, RunWhen::boot},
      {"true", RunAs::root, RunWhen::once},
      {"true", RunAs::root, RunWhen::once}};
  const auto told = planned(it, test::usual_facts());
  const auto settings = file_of(told, "qlaunch/settings");
  CHECK(contains(settings, "'script 1 (make -C /src all # and this goes on and…)'"));
  CHECK(contains(settings, "script 'script-2' 'boot' 'user' "));
  CHECK(file_of(told, "qlaunch/script-2") == "#!/usr/bin/env python3\nprint(1)\n");
  CHECK(file_of(told, "qlaunch/script-3") == "#!/bin/sh\ntrue\n");
  const auto mark = [&](const std::string& name) {
    const auto at = settings.find("'" + name + "' 'once' 'root' '");
    REQUIRE(at != std::string::npos);
    return settings.substr(at + name.size() + 19, 16);
  };
  CHECK(mark("script-3") != mark("script-4"));
  // A script that is put before the others changes none of them.
  auto more = it;
  more.guest.run.insert(more.guest.run.begin(), {"echo new", RunAs::root, RunWhen::once});
  CHECK(
      contains(file_of(planned(more, test::usual_facts()), "qlaunch/settings"), mark("script-1")));
}

TEST_CASE("proxies of the host, as the guest reaches them") {
  auto it = profile();
  auto facts = test::usual_facts();
  facts.proxies = {{"http_proxy", "http://me:pw@localhost:3128/"},
                   {"https_proxy", "http://proxy.example:8080"},
                   {"no_proxy", "localhost,.example"}};
  CHECK(seed::proxy_variables(it, facts).empty());
  it.guest.proxy = "host";
  auto all = seed::proxy_variables(it, facts);
  CHECK(all.at("http_proxy") == "http://me:pw@10.0.2.2:3128/");
  CHECK(all.at("HTTP_PROXY") == all.at("http_proxy"));
  CHECK(all.at("https_proxy") == "http://proxy.example:8080");
  CHECK(all.at("no_proxy") == "localhost,.example");
  it.networks[0].subnet = "192.168.7.0/24";
  CHECK(seed::proxy_variables(it, facts).at("http_proxy") == "http://me:pw@192.168.7.2:3128/");
  it.networks[0].mode = NetworkMode::bridge;
  CHECK(seed::proxy_variables(it, facts).at("http_proxy") == "http://me:pw@localhost:3128/");
  it.guest.proxy = "http://127.0.0.1.example:1";
  it.networks[0].mode = NetworkMode::user;
  all = seed::proxy_variables(it, facts);
  CHECK(all.at("https_proxy") == "http://127.0.0.1.example:1");
  CHECK(all.at("no_proxy") == "localhost,127.0.0.1,::1");
}

TEST_CASE("a public key is told from everything else") {
  CHECK(seed::public_keys(std::string(key) + '\n').lines == std::vector<std::string>{key});
  CHECK_FALSE(seed::public_keys("ssh-ed25519 hello\n").problem.empty());
  CHECK_FALSE(seed::public_keys("ssh-ed25519\n").problem.empty());
  CHECK_FALSE(
      seed::public_keys(std::string("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 \xff\n")).problem.empty());
  CHECK(seed::key_body(key) == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFirst");
}
