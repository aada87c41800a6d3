# SPDX-License-Identifier: MIT
# A service whose program lies on a share: it starts when the share is mounted, and stops before it is
# unmounted at the end. While it runs the share is in use.
{ lib, pkgs, config, ... }:

let
  cfg = config.qlaunch.shareService;
in
{
  options.qlaunch.shareService = {
    mountPoint = lib.mkOption {
      type = lib.types.str;
      default = "/mnt/workspace";
      description = "Where the share is mounted.";
    };
    program = lib.mkOption {
      type = lib.types.str;
      default = "bin/serve";
      description = "The program, as a path on the share.";
    };
  };

  config.systemd.services.share-service = {
    description = "a program that lies on a share";
    wantedBy = [ "multi-user.target" ];
    unitConfig = {
      RequiresMountsFor = cfg.mountPoint;
      # A share that has not got it is no failure.
      ConditionPathExists = "${cfg.mountPoint}/${cfg.program}";
    };
    serviceConfig = {
      ExecStart = "${pkgs.runtimeShell} -c 'exec \"$0\"' ${cfg.mountPoint}/${cfg.program}";
      # Nothing of it stays on the share.
      WorkingDirectory = "/";
      DynamicUser = true;
      Restart = "on-failure";
    };
  };
}
