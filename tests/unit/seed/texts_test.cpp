// SPDX-License-Identifier: MIT
// What the files of a seed volume say, read by a real reader of YAML where one is there.
#include "plan/seed/texts.hpp"

#include "core/text.hpp"
#include "plan/seed/credentials.hpp"
#include "plan/seed/marks.hpp"
#include "yaml.hpp"

#include <algorithm>

using namespace qlaunch::seed;

namespace {

Told told() {
  Told it;
  it.identity = "web";
  it.hostname = "web";
  it.user = "dev";
  it.shell = "/bin/bash";
  it.uid = 1234;
  it.keys = {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA you@host"};
  return it;
}

std::string file_of(const std::vector<SeedFile>& files, const std::string& name) {
  for (const auto& file : files)
    if (file.name == name) return file.content;
  FAIL("no file " << name);
  return {};
}

/// What the awk of lima-init takes for keys: the lines below `ssh-authorized-keys:` that are
/// indented deeper, without their quotes.
std::vector<std::string> lima_keys(const std::string& user_data) {
  std::vector<std::string> keys;
  std::string indent;
  bool inside = false;
  for (const auto& line : qlaunch::split(user_data, '\n')) {
    const auto first = line.find_first_not_of(' ');
    if (first != std::string::npos && line.compare(first, 20, "ssh-authorized-keys:") == 0) {
      indent = std::string(first, ' ');
      inside = true;
    } else if (inside) {
      inside = line.starts_with(indent + "  - ");
      if (!inside) continue;
      auto key = line.substr(line.find("- ") + 2);
      std::erase(key, '"');
      keys.push_back(key);
    }
  }
  return keys;
}

}  // namespace

TEST_CASE("cloud-config says who the user is") {
  if (!test::has_yaml()) return;
  auto it = told();
  it.own_keys = false;
  it.groups = {"video", "on"};
  it.timezone = "Europe/Berlin";
  it.packages = {"git", "no"};
  const auto text = cloud_config(it);
  CHECK(text.starts_with("#cloud-config\n"));
  const auto json = test::read_yaml(text);
  CHECK(json.at("hostname") == "web");
  const auto& user = json.at("users").at(0);
  CHECK(json.at("users").size() == 1);
  CHECK(user.at("name") == "dev");
  CHECK(user.at("uid") == 1234);
  CHECK(user.at("groups") == nlohmann::json{"video", "on"});
  CHECK(user.at("sudo") == "ALL=(ALL) NOPASSWD:ALL");
  CHECK(user.at("lock_passwd") == true);
  CHECK(json.at("timezone") == "Europe/Berlin");
  CHECK(json.at("locale") == "false");
  CHECK(json.at("packages") == nlohmann::json{"git", "no"});
  it.sudo = false;
  CHECK_FALSE(test::read_yaml(cloud_config(it)).at("users").at(0).contains("sudo"));
}

TEST_CASE("without a user the keys are those of the image's own, and of root for Lima") {
  auto it = told();
  it.user = "";
  CHECK(file_of(lima_files(it), "lima.env").find("LIMA_CIDATA_USER=root\n") != std::string::npos);
  CHECK(file_of(lima_files(it), "lima.env").find("LIMA_CIDATA_HOME=/root\n") != std::string::npos);
  it.own_keys = false;
  if (!test::has_yaml()) return;
  const auto json = test::read_yaml(cloud_config(it));
  CHECK_FALSE(json.contains("users"));
  CHECK(json.at("ssh_authorized_keys") == it.keys);
}

TEST_CASE("hostile values come back as they are") {
  if (!test::has_yaml()) return;
  auto it = told();
  it.own_keys = false;
  const std::string hostile = "a: [b, {c}]\n- \"d\" 'e' #f\n\t%g\\n ü€ !h";
  it.files = {{"/etc/" + std::string("x: \"y\" #z"), hostile, "0600", "dev:dev"},
              {"/etc/binary", std::string("\0\xff\x01", 3), "0644", "root"}};
  it.keys = {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA it's \"me\": #1 ü"};
  it.ca_certs = {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
  const auto json = test::read_yaml(cloud_config(it));
  const auto& files = json.at("write_files");
  REQUIRE(files.size() == 3);
  CHECK(files.at(1).at("path") == "/etc/x: \"y\" #z");
  CHECK(files.at(1).at("content") == hostile);
  CHECK(files.at(1).at("permissions") == "0600");
  CHECK(files.at(1).at("owner") == "dev:dev");
  CHECK(files.at(1).at("defer") == true);
  CHECK(files.at(2).at("encoding") == "b64");
  CHECK(files.at(2).at("content") == "AP8B");
  CHECK_FALSE(files.at(2).contains("defer"));
  CHECK(json.at("users").at(0).at("ssh_authorized_keys") == it.keys);
  CHECK(json.at("ca_certs").at("trusted") == it.ca_certs);
}

TEST_CASE("lima-init finds the keys, and nothing that is none") {
  auto it = told();
  it.found_keys = {"ssh-rsa AAAAB3NzaC1yc2EAAAA two \"words\""};
  const auto keys = lima_keys(cloud_config(it));
  CHECK(keys == std::vector<std::string>{qlaunch::own_key_mark, it.keys[0],
                                         "ssh-rsa AAAAB3NzaC1yc2EAAAA two words"});
}

TEST_CASE("mounts stand in the form that lima-init and cloud-init both read") {
  auto it = told();
  it.mounts = {{"work", "/mnt/work", "9p", "trans=virtio,rw,nofail", true},
               {"odd", "/mnt/my: work", "9p", "ro", false}};
  const auto text = cloud_config(it);
  CHECK(text.find("\nmounts:\n- [work, \"/mnt/work\", 9p, \"trans=virtio,rw,nofail\", \"0\", "
                  "\"0\"]\n") != std::string::npos);
  CHECK(text.find("my: work") == std::string::npos);
  // The scripts' folder is mounted by what runs in the guest.
  const auto settings = file_of(runner_files(it), "qlaunch/settings");
  CHECK(settings.find("share 'odd' '/mnt/my: work' '9p' 'ro'\n") != std::string::npos);
}

TEST_CASE("the instance id follows from what is told, and not from what comes and goes") {
  const auto first = instance_id(told());
  CHECK(first == instance_id(told()));
  CHECK(first.starts_with("qlaunch-"));
  auto it = told();
  it.found_keys = {"ssh-rsa AAAAB3NzaC1yc2EAAAA agent"};
  it.proxies = {{"http_proxy", "http://10.0.2.2:3128"}};
  it.environment = {{"EDITOR", "vim"}};
  it.scripts = {{"#!/bin/sh\n", "script 1", "0", false, false}};
  CHECK(instance_id(it) == first);
  it = told();
  it.identity = "clone";
  CHECK(instance_id(it) != first);
  it = told();
  it.timezone = "UTC";
  CHECK(instance_id(it) != first);
  it = told();
  it.user_data = "#cloud-config\n";
  const auto merged = instance_id(it);
  CHECK(merged != first);
  it.user_data_merged = false;
  CHECK(instance_id(it) != merged);
}

TEST_CASE("one card is left to the guest, several are named") {
  auto it = told();
  it.networks = {{"net0", "52:54:00:00:00:01", true}};
  CHECK_FALSE(network_config(it));
  it.networks.push_back({"lan", "52:54:00:00:00:02", false});
  const auto text = network_config(it);
  REQUIRE(text);
  if (!test::has_yaml()) return;
  const auto json = test::read_yaml(*text);
  CHECK(json.at("version") == 1);
  CHECK(json.at("config").at(0).at("mac_address") == "52:54:00:00:00:01");
  CHECK(json.at("config").at(0).at("subnets").at(0).at("type") == "dhcp");
  CHECK(json.at("config").at(1).at("subnets").at(0).at("type") == "manual");
}

TEST_CASE("what runs in the guest is shell, whatever stands in it") {
  auto it = told();
  it.environment = {{"HOSTILE", "it's \"$HOME\" `id` $(id) \\ #"}};
  it.mounts = {{"t$(id)", "/mnt/it's; rm -rf /", "9p", "ro", false}};
  it.scripts = {{"#!/bin/sh\ntrue\n", "script 1 (it's $(id))", "0a", true, true}};
  const auto files = runner_files(it);
  const std::string functions =
      "key() { :; }\nhost_key() { :; }\nvariables_told() { :; }\n"
      "variable() { printf '%s=%s\\n' \"$@\"; }\nshare() { printf '[%s]' \"$@\"; echo; }\n"
      "script() { printf '<%s>' \"$@\"; echo; }\n";
  const auto done = test::run_with({"/bin/sh"}, functions + file_of(files, "qlaunch/settings"));
  CHECK(done.err.empty());
  CHECK(done.out ==
        "HOSTILE=it's \"$HOME\" `id` $(id) \\ #\n[t$(id)][/mnt/it's; rm -rf /][9p][ro]\n"
        "<script-1><boot><user><0a><script 1 (it's $(id))>\n");
}

TEST_CASE("a cloud-config of the user's own comes first, its bytes as they are") {
  const std::string own = "#cloud-config\ntimezone: Asia/Tokyo\n# ü\n";
  const auto merged = merged_user_data(own, "#cloud-config\nhostname: web\n");
  const auto script = R"py(
import email, json, sys
message = email.message_from_string(sys.stdin.read())
print(json.dumps([[p.get_content_type(), p.get("Merge-Type"),
                   p.get_payload(decode=True).decode("utf-8")]
                  for p in message.walk() if not p.is_multipart()]))
)py";
  const auto done = test::run_with({"python3", "-c", script}, merged);
  REQUIRE_MESSAGE(done.ok(), done.err);
  const auto parts = nlohmann::json::parse(done.out);
  REQUIRE(parts.size() == 2);
  CHECK(parts.at(0).at(0) == "text/cloud-config");
  CHECK(parts.at(0).at(2) == own);
  CHECK(parts.at(1).at(1) == "list(prepend)+dict(no_replace,recurse_list)+str()");
  CHECK(parts.at(1).at(2).get<std::string>().starts_with("#cloud-config\nhostname: web\n"));
}

TEST_CASE("what is no cloud-config is not merged") {
  CHECK_FALSE(user_data_problem("#cloud-config\na: b\n"));
  CHECK_FALSE(user_data_problem("#!/bin/sh\nexit\n"));
  CHECK_FALSE(user_data_problem("## template: jinja\n#cloud-config\n"));
  CHECK(user_data_problem("a: b\n")->message.starts_with("is no cloud-config"));
  CHECK(user_data_problem(" \n")->message == "is empty");
  CHECK(user_data_problem(std::string("#cloud-config\n\0", 15))->message == "is no text");
  CHECK(user_data_problem("#cloud-config\n\xff\n")->message == "is no text");
  CHECK(user_data_problem("#cloud-config\na:\n\tb: c\n")->message ==
        "is no YAML: line 3 begins with a tab");
  CHECK_FALSE(user_data_problem("#cloud-config\na: |\n  all:\n  \tmake\n\t\nb: c\n"));
  CHECK(user_data_problem("#cloud-config-archive\n"));
}

TEST_CASE("systemd credentials say the same in the words of sysusers and tmpfiles") {
  auto it = told();
  it.groups = {"video"};
  it.timezone = "Europe/Berlin";
  it.keys = {"ssh-ed25519 AAAA 100% \\ me"};
  const auto all = credentials(it);
  REQUIRE(all.size() == 2);
  CHECK(all[0] == std::pair<std::string, std::string>(
                      "sysusers.extra", "u dev 1234 \"dev\" /home/dev /bin/bash\nm dev video\n"));
  CHECK(all[1].first == "tmpfiles.extra");
  const auto& files = all[1].second;
  CHECK(files.find("w /proc/sys/kernel/hostname - - - - web\n") != std::string::npos);
  CHECK(files.find("L+ /etc/localtime - - - - /usr/share/zoneinfo/Europe/Berlin\n") !=
        std::string::npos);
  CHECK(files.find("f /home/dev/.ssh/authorized_keys 0600 dev dev - " +
                   std::string(qlaunch::own_key_mark) + "\\nssh-ed25519 AAAA 100%% \\\\ me\\n\n") !=
        std::string::npos);
  it.user = "";
  CHECK(credentials(it)[0].first == "ssh.authorized_keys.root");
}
