// SPDX-License-Identifier: MIT
#include "host/certificates.hpp"

#include "host/files.hpp"

#include <algorithm>
#include <filesystem>

namespace qlaunch {

std::vector<std::string> certificates_below(const std::vector<std::string>& folders) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const auto& folder : folders) {
    std::error_code error;
    fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied,
                                        error);
    // The loop over a range would throw at what goes while it looks.
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      std::error_code ignored;
      if (at->is_regular_file(ignored)) files.push_back(at->path().string());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> texts;
  for (const auto& file : files) {
    auto text = try_read_file(file);
    if (text && text->find("-----BEGIN CERTIFICATE-----") != std::string::npos &&
        text->find("PRIVATE KEY") == std::string::npos)
      texts.push_back(std::move(*text));
  }
  return texts;
}

std::vector<std::string> added_certificates() {
  return certificates_below({"/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors",
                             "/etc/ca-certificates/trust-source/anchors",
                             "/etc/pki/trust/anchors"});
}

}  // namespace qlaunch
