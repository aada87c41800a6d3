// SPDX-License-Identifier: MIT
// A fuzz target as an ordinary test: each seed, then seeds changed at random but the same each
// time. Looks for nothing by itself: libFuzzer does (`-Dfuzz=true`), and what it found becomes a
// seed.
//
// usage: driver RUNS FOLDER
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::size_t below(std::mt19937& random, std::size_t bound) {
  return bound == 0 ? 0 : random() % bound;
}

void change(std::string& input, const std::vector<std::string>& seeds, std::mt19937& random) {
  const auto at = below(random, input.size() + 1);
  const auto length = std::min(below(random, 12), input.size() - at);
  switch (random() % 6) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(random());
      break;
    case 1:
      input.insert(at, 1, static_cast<char>(random()));
      break;
    case 2:
      input.erase(at, length);
      break;
    case 3:
      input.insert(at, input.substr(at, length));
      break;
    case 4: {
      const auto& other = seeds[below(random, seeds.size())];
      input.insert(at, other.substr(below(random, other.size()), below(random, 100)));
      break;
    }
    default:
      input.resize(at);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[2])) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> seeds;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    run(seeds.back());
  }
  if (seeds.empty()) return 1;
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  const long runs = std::strtol(argv[1], nullptr, 10);
  for (long i = 0; i < runs; ++i) {
    auto input = seeds[below(random, seeds.size())];
    for (auto changes = 1 + random() % 4; changes != 0; --changes) change(input, seeds, random);
    run(input);
  }
  std::printf("%zu seeds, %ld runs\n", seeds.size(), runs);
}
