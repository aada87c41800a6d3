# SPDX-License-Identifier: MIT
# A guest that runs guests. The host's profile says `nested = true` in [cpu].
{ pkgs, ... }:

{
  # One of them fits the host's CPU; the other is not loaded.
  boot.kernelModules = [ "kvm-intel" "kvm-amd" ];
  boot.extraModprobeConfig = ''
    options kvm_intel nested=1
    options kvm_amd nested=1
  '';

  # qlaunch finds QEMU, its firmware and its helpers in PATH and by QEMU's own descriptions.
  environment.systemPackages = with pkgs; [ qemu virtiofsd swtpm ];

  # /dev/kvm for whoever starts guests.
  users.groups.kvm = { };
}
