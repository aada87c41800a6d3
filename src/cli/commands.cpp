// SPDX-License-Identifier: MIT
#include "cli/args.hpp"
#include "cli/check.hpp"
#include "cli/clone.hpp"
#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/copy.hpp"
#include "cli/diff.hpp"
#include "cli/disk.hpp"
#include "cli/doctor.hpp"
#include "cli/edit.hpp"
#include "cli/events.hpp"
#include "cli/exec.hpp"
#include "cli/forward.hpp"
#include "cli/image.hpp"
#include "cli/init.hpp"
#include "cli/keeper.hpp"
#include "cli/kill.hpp"
#include "cli/list.hpp"
#include "cli/log.hpp"
#include "cli/media.hpp"
#include "cli/pause.hpp"
#include "cli/qmp.hpp"
#include "cli/reboot.hpp"
#include "cli/reload.hpp"
#include "cli/remove.hpp"
#include "cli/rename.hpp"
#include "cli/reset.hpp"
#include "cli/resume.hpp"
#include "cli/run.hpp"
#include "cli/schema.hpp"
#include "cli/screenshot.hpp"
#include "cli/shutdown.hpp"
#include "cli/snapshot.hpp"
#include "cli/ssh.hpp"
#include "cli/ssh_config.hpp"
#include "cli/status.hpp"
#include "cli/suspend.hpp"
#include "cli/up.hpp"
#include "cli/view.hpp"
#include "cli/wait.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace qlaunch {

namespace {

template <class Options, void (*Add)(CLI::App&, Options&), int (*Do)(const Options&, Terminal&)>
CliCommand entry(std::string_view name, std::vector<std::string_view> aliases,
                 std::string_view group, std::string_view arguments, std::string_view summary) {
  return {name, std::move(aliases), group, arguments, summary, bind<Options, Add, Do>};
}

}  // namespace

const std::vector<CliCommand>& commands() {
  constexpr std::string_view hidden;
  constexpr std::string_view run = "Run";
  constexpr std::string_view look = "Look";
  constexpr std::string_view change = "Change while it runs";
  constexpr std::string_view disks = "Disks";
  constexpr std::string_view prepare = "Profiles and host";
  static const std::vector<CliCommand> all{
      entry<UpOptions, add_up, up>("up", {"start"}, run, "PROFILE...",
                                   "start VMs and wait until they can be used"),
      entry<ShutdownOptions, add_shutdown, shutdown>("shutdown", {"stop", "down", "halt"}, run,
                                                     "VM...", "ask guests to power off, and wait"),
      entry<RebootOptions, add_reboot, reboot>("reboot", {"restart"}, run, "VM...",
                                               "have guests power off, and start them anew"),
      entry<ResetOptions, add_reset, reset>("reset", {}, run, "VM...",
                                            "restart guests at once, without asking them"),
      entry<PauseOptions, add_pause, pause>("pause", {}, run, "VM...",
                                            "stop guests in mid-step; their memory stays"),
      entry<ResumeOptions, add_resume, resume>("resume", {"unpause"}, run, "VM...",
                                               "let paused guests go on"),
      entry<SuspendOptions, add_suspend, suspend>("suspend", {}, run, "VM...",
                                                  "save VMs to the disk; `up` goes on from there"),
      entry<KillOptions, add_kill, kill>("kill", {}, run, "VM...",
                                         "end VMs at once, without asking their guests"),
      entry<RunOptions, add_run, qlaunch::run>("run", {}, run, "PROFILE -- CMD...",
                                               "a command in a VM of which nothing is left"),
      entry<ExecOptions, add_exec, exec_command>("exec", {}, run, "VM -- CMD...",
                                                 "a command in a VM, by its guest agent"),
      entry<ReloadOptions, add_reload, reload>("reload", {}, run, "VM",
                                               "shut a VM down and start it with its profile"),
      entry<RenameOptions, add_rename, rename_command>("rename", {"mv"}, run, "VM NEW",
                                                       "give a stopped VM another name"),
      entry<CloneOptions, add_clone, clone_command>(
          "clone", {}, run, "VM NEW", "make a VM from another, with its disks as they are now"),
      entry<RemoveOptions, add_remove, remove_command>("remove", {"rm", "delete"}, run, "VM...",
                                                       "remove stopped VMs with their disks"),
      entry<ListOptions, add_list, list>("list", {"ls", "ps"}, look, "", "all VMs, running or not"),
      entry<StatusOptions, add_status, status>("status", {"info"}, look, "[VM]",
                                               "everything known about a VM"),
      entry<WaitOptions, add_wait, wait>("wait", {}, look, "VM",
                                         "wait until a VM is ready, has stopped, says something"),
      entry<LogOptions, add_log, log>("log", {"logs"}, look, "VM [LOG]",
                                      "what a VM's serial port, QEMU or helpers have said"),
      entry<EventsOptions, add_events, events>("events", {}, look, "VM",
                                               "what has happened to a VM, and when"),
      entry<ScreenshotOptions, add_screenshot, screenshot>("screenshot", {}, look, "VM FILE",
                                                           "what a VM shows, as a PNG file"),
      entry<ConsoleOptions, add_console, console>(
          "console", {}, look, "VM", "the serial port on this terminal; Ctrl-] leaves"),
      entry<SshOptions, add_ssh, ssh>("ssh", {"shell"}, look, "[USER@]VM",
                                      "a shell in a guest, or a command behind `--`"),
      entry<CopyOptions, add_copy, copy>("copy", {"cp"}, look, "SRC... DST",
                                         "files and folders into a guest, or out of it"),
      entry<SshConfigOptions, add_ssh_config, ssh_config>(
          "ssh-config", {}, look, "[VM]", "VMs as hosts for editors and tools that speak ssh"),
      entry<ViewOptions, add_view, view>("view", {}, look, "VM", "a window on a VM's screen"),
      entry<ForwardOptions, add_forward, forward>("forward", {}, change, "ACTION VM",
                                                  "ports of a running VM: list, add, remove"),
      entry<MediaOptions, add_media, media>("media", {}, change, "ACTION VM",
                                            "CDs of a running VM: list, insert, eject"),
      entry<SnapshotOptions, add_snapshot, snapshot>(
          "snapshot", {}, change, "ACTION VM", "the state of a VM: create, list, revert, delete"),
      entry<QmpOptions, add_qmp, qmp_command>("qmp", {}, change, "VM [COMMAND]",
                                              "speak QMP with a VM's QEMU"),
      entry<DiskOptions, add_disk, disk>("disk", {}, disks, "ACTION DISK",
                                         "disk files: create, info, resize, check"),
      entry<InitOptions, add_init, init>("init", {}, prepare, "[NAME]",
                                         "write a commented profile to start from"),
      entry<CheckOptions, add_check, check>("check", {"validate"}, prepare, "PROFILE...",
                                            "all problems of profiles at once"),
      entry<EditOptions, add_edit, edit>("edit", {}, prepare, "VM",
                                         "the profile of a VM in your editor, checked"),
      entry<DiffOptions, add_diff, diff>("diff", {}, prepare, "VM",
                                         "what a changed profile would change of its VM"),
      entry<ArgsOptions, add_args, args>("args", {}, prepare, "PROFILE",
                                         "the command lines that `up` would run, and why"),
      entry<ImageOptions, add_image, image_command>("image", {"images"}, prepare, "ACTION [WORD]",
                                                    "downloaded images: pull, list, verify, prune"),
      entry<NoOptions, add_nothing, schema>("schema", {}, prepare, "",
                                            "the profile language as JSON Schema, for editors"),
      entry<DoctorOptions, add_doctor, doctor>(
          "doctor", {}, prepare, "", "what this host can do, and how to mend what it cannot"),
      // For qlaunch itself and for its tests.
      entry<KeeperOptions, add_keeper, keeper>("keeper", {}, hidden, "NAME",
                                               "stay beside a running VM"),
      entry<SshConnectOptions, add_ssh_connect, ssh_connect>("ssh-connect", {}, hidden, "VM",
                                                             "connect ssh to a guest"),
      entry<NoOptions, add_nothing, reference>("reference", {}, hidden, "",
                                               "the profile language as a Markdown page"),
  };
  return all;
}

const CliCommand* find_command(std::string_view word) {
  for (const auto& command : commands()) {
    if (command.name == word) return &command;
    const auto& aliases = command.aliases;
    if (std::find(aliases.begin(), aliases.end(), word) != aliases.end()) return &command;
  }
  return nullptr;
}

std::vector<std::string> command_words() {
  std::vector<std::string> words{"help"};
  for (const auto& command : commands()) {
    if (command.group.empty()) continue;
    words.emplace_back(command.name);
    words.insert(words.end(), command.aliases.begin(), command.aliases.end());
  }
  return words;
}

std::string_view advice_for(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> advice{{
      {"destroy",
       "`qlaunch kill` ends a VM at once and keeps it, `qlaunch remove` deletes a stopped one"},
      {"create", "`qlaunch init NAME` writes a profile, `qlaunch up NAME` makes a VM of it"},
      {"launch", "`qlaunch up PROFILE` starts a VM"},
      {"attach", "`qlaunch console VM` is the guest's serial port"},
      {"version", "`qlaunch --version` prints it"},
      {"show", "`qlaunch status VM` shows a VM, `qlaunch args PROFILE` what would be run"},
      {"top", "`qlaunch list` shows all VMs"},
  }};
  for (const auto& [name, text] : advice) {
    if (name == word) return text;
  }
  return {};
}

}  // namespace qlaunch
