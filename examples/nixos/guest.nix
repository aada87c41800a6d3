# SPDX-License-Identifier: MIT
# What a NixOS guest of qlaunch is better with. Says nothing of users, disks or what it is for.
{ lib, modulesPath, ... }:

{
  # The drivers that the initrd needs for QEMU's devices.
  imports = [ (modulesPath + "/profiles/qemu-guest.nix") ];

  # `qlaunch exec`, `wait --for agent`, `shutdown`, addresses, the clock after a pause.
  services.qemuGuest.enable = true;

  # `qlaunch ssh`; keys only, which the profile's [guest] brings.
  services.openssh = {
    enable = lib.mkDefault true;
    settings.PasswordAuthentication = lib.mkDefault false;
  };

  # `qlaunch console` and `qlaunch log`: the kernel and a login on the serial port.
  boot.kernelParams = [ "console=tty0" "console=ttyS0,115200" ];

  # A disk that was made larger (`qlaunch disk resize`) is used to its end.
  boot.growPartition = lib.mkDefault true;

  # Freed blocks are given back to the host.
  services.fstrim.enable = lib.mkDefault true;
}
