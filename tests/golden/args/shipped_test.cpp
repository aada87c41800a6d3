// SPDX-License-Identifier: MIT
// The command lines of the shipped profiles, on a host where KVM works and on one where it does
// not.
#include "facts.hpp"
#include "golden.hpp"

#include <doctest/doctest.h>

namespace {

test::Case no_kvm() {
  auto out = test::usual_case();
  out.facts.kvm_works = false;
  out.facts.kvm_nested = false;
  out.facts.kvm_problem = "/dev/kvm cannot be opened: permission denied";
  out.facts.desktop = false;
  return out;
}

test::Case c_virtiofsd() {
  auto out = test::usual_case();
  out.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  out.facts.virtiofsd_kind = qlaunch::VirtiofsdKind::c;
  return out;
}

}  // namespace

TEST_CASE("shipped: hello") {
  test::check_shipped("hello", test::usual_case(), "hello");
}
TEST_CASE("shipped: hello without KVM") {
  test::check_shipped("hello", no_kvm(), "hello-tcg");
}
TEST_CASE("shipped: nixos-sway") {
  test::check_shipped("nixos-sway", test::usual_case(), "nixos-sway");
}
TEST_CASE("shipped: debian-nested") {
  test::check_shipped("debian-nested", test::usual_case(), "debian-nested");
}
TEST_CASE("shipped: debian-nested without KVM") {
  test::check_shipped("debian-nested", no_kvm(), "debian-nested-tcg");
}
TEST_CASE("shipped: nixos-workspace") {
  test::check_shipped("nixos-workspace", test::usual_case(), "nixos-workspace");
}
TEST_CASE("shipped: nixos-workspace without KVM") {
  test::check_shipped("nixos-workspace", no_kvm(), "nixos-workspace-tcg");
}
TEST_CASE("shipped: nix-store-share") {
  test::check_shipped("nix-store-share", test::usual_case(), "nix-store-share");
}
TEST_CASE("shipped: nix-store-share with the C virtiofsd") {
  test::check_shipped("nix-store-share", c_virtiofsd(), "nix-store-share-c");
}
TEST_CASE("shipped: direct-kernel") {
  test::check_shipped("direct-kernel", test::usual_case(), "direct-kernel");
}
TEST_CASE("shipped: nixos-lima, image not downloaded") {
  test::check_shipped("nixos-lima", test::usual_case(), "nixos-lima");
}
