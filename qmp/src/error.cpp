// SPDX-License-Identifier: MIT
#include "qmp/error.hpp"

namespace qmp {

Refused::Refused(const std::string& command, std::string error_class, std::string desc,
                 std::string sent)
    : Error("`" + command + "` was refused: " + desc),
      error_class_(std::move(error_class)),
      desc_(std::move(desc)),
      sent_(std::move(sent)) {}

}  // namespace qmp
