// SPDX-License-Identifier: MIT
// One function for each section of the table of keys; keys.cpp puts them in order. Nobody else
// needs this: see profile_sections().
#pragma once

#include "profile/keys.hpp"

namespace qlaunch {

Section top_section();
Section machine_section();
Section smbios_section();
Section cpu_section();
Section kernel_section();
Section disk_section();
Section image_section();
Section network_section();
Section share_section();
Section display_section();
Section serial_section();
Section audio_section();
Section usb_section();
Section guest_section();
Section guest_run_section();
Section guest_file_section();
Section ready_section();
Section start_section();
Section shutdown_section();
Section qemu_section();

}  // namespace qlaunch
