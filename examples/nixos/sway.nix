# SPDX-License-Identifier: MIT
# A Sway desktop on QEMU's virtio graphics, as the profile nixos-sway starts it.
{ pkgs, ... }:

{
  imports = [ ./guest.nix ./nested.nix ];

  networking.hostName = "nixos-sway";

  programs.sway = {
    enable = true;
    wrapperFeatures.gtk = true;
  };
  # Without gpu = "virtio-gl" in the profile there is no 3D: Sway draws with the CPU then.
  environment.sessionVariables.WLR_RENDERER_ALLOW_SOFTWARE = "1";

  # clipboard = true in [display].
  services.spice-vdagentd.enable = true;

  services.greetd = {
    enable = true;
    settings.default_session.command = "${pkgs.greetd.tuigreet}/bin/tuigreet --cmd sway";
  };
}
