# SPDX-License-Identifier: MIT
# A folder of the host's to work in, by 9p:
#
#   [[share]]
#   tag = "workspace"
#   path = "~/workspace"
#   driver = "9p"
{ lib, config, ... }:

let
  cfg = config.qlaunch.workspace;
in
{
  options.qlaunch.workspace = {
    tag = lib.mkOption {
      type = lib.types.str;
      default = "workspace";
      description = "The tag of the share.";
    };
    mountPoint = lib.mkOption {
      type = lib.types.str;
      default = "/mnt/workspace";
      description = "Where it is mounted.";
    };
  };

  config.fileSystems.${cfg.mountPoint} = {
    device = cfg.tag;
    fsType = "9p";
    options = [
      "trans=virtio"
      "version=9p2000.L"
      # The default moves a few kilobytes at a time.
      "msize=524288"
      # What is read is kept until the file is opened anew.
      "cache=mmap"
      # A guest that is started without the share boots all the same.
      "nofail"
    ];
  };
}
