// SPDX-License-Identifier: MIT
#include "plan/audio.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"

namespace qlaunch::planner {

void add_audio(Draft& draft) {
  const auto& audio = draft.profile.audio;
  if (audio.driver == "none") return;
  if (draft.board == Board::microvm) return draft.not_on_microvm("audio.driver", "a sound card");
  const auto& known = draft.facts.qemu.audio_drivers;
  if (!known.empty() && !known.contains(audio.driver)) {
    auto& problem =
        draft.error("audio.driver", "this QEMU has no audio driver " + in_backticks(audio.driver));
    if (const auto help = install_help(audio.driver); !help.empty()) problem.help.push_back(help);
    problem.help.push_back("it has " + enumerate({known.begin(), known.end()}));
    return;
  }
  if (audio.driver == "spice" && draft.plan.display != DisplayType::spice) {
    draft.error("audio.driver", "audio by spice needs a display of type `spice`");
    return;
  }
  draft.json_option("-audiodev", {{"driver", audio.driver}, {"id", "audio0"}},
                    draft.because("audio.driver", "where the guest's sound goes on the host"));
  const auto reason = draft.because("audio.model", "the sound card that the guest sees");
  if (audio.model == "ac97") {
    draft.device({{"driver", "AC97"}, {"id", "sound"}, {"audiodev", "audio0"}}, reason,
                 "audio.model");
  } else if (audio.model == "virtio") {
    draft.device({{"driver", "virtio-sound-pci"}, {"id", "sound"}, {"audiodev", "audio0"}}, reason,
                 "audio.model");
  } else {
    draft.device({{"driver", "ich9-intel-hda"}, {"id", "sound"}}, reason, "audio.model");
    draft.device({{"driver", "hda-duplex"},
                  {"id", "sound-codec"},
                  {"bus", "sound.0"},
                  {"audiodev", "audio0"}},
                 reason, "audio.model");
  }
}

}  // namespace qlaunch::planner
