# SPDX-License-Identifier: MIT
# The host's Nix store as the lower layer of the guest's own, by virtiofs:
#
#   [[share]]
#   tag = "nix-store-share"
#   path = "/nix/store"
#   readonly = true
#   mount = "/nix/.ro-store"
#   cache = "always"
#
# The host serves it read-only, so that nothing in the guest can change it. What the guest builds goes
# to /nix/.rw-store: memory, or a file system of its own with `qlaunch.store.disk`. The guest's Nix
# database knows nothing of the paths below: they can be run, and a build that needs one copies it.
# On the host nothing has to be configured; a garbage collection there takes away what no root holds,
# also under a guest that uses it.
{ lib, config, ... }:

let
  cfg = config.qlaunch.store;
in
{
  options.qlaunch.store = {
    tag = lib.mkOption {
      type = lib.types.str;
      default = "nix-store-share";
      description = "The tag of the share.";
    };
    disk = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "/dev/disk/by-id/virtio-store";
      description = "A file system for what the guest writes; null: memory, gone at its end.";
    };
  };

  config = {
    # All three are needed before anything of the store can be started.
    boot.initrd.availableKernelModules = [ "virtiofs" "overlay" ];

    fileSystems."/nix/.ro-store" = {
      device = cfg.tag;
      fsType = "virtiofs";
      options = [ "ro" ];
      neededForBoot = true;
    };

    fileSystems."/nix/.rw-store" =
      if cfg.disk == null then {
        device = "tmpfs";
        fsType = "tmpfs";
        options = [ "mode=0755" "size=50%" ];
        neededForBoot = true;
      } else {
        device = cfg.disk;
        fsType = "ext4";
        neededForBoot = true;
      };

    # The option `overlay` is there from NixOS 24.05 on; it also makes the folders of the upper layer.
    # These two have to lie on one file system, which has to be another than
    # the lower one.
    fileSystems."/nix/store" = {
      overlay = {
        lowerdir = [ "/nix/.ro-store" ];
        upperdir = "/nix/.rw-store/upper";
        workdir = "/nix/.rw-store/work";
      };
      neededForBoot = true;
    };
  };
}
