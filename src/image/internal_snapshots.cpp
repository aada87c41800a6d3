// SPDX-License-Identifier: MIT
#include "image/internal_snapshots.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "image/qemu_img.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

// QEMU's docs/interop/qcow2.txt.
constexpr std::size_t header_size = 72;
constexpr std::size_t entry_size = 40;
constexpr std::uint32_t most_snapshots = 65536;
constexpr std::size_t largest_table = std::size_t{64} << 20;
constexpr std::size_t largest_l1 = std::size_t{32} << 20;

class Bytes {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  std::size_t size() const { return bytes_.size(); }
  std::uint64_t number(std::size_t offset, std::size_t length) const {
    std::uint64_t value = 0;
    for (std::size_t index = 0; index < length; ++index)
      value = value << 8U | static_cast<unsigned char>(bytes_.at(offset + index));
    return value;
  }
  std::string text(std::size_t offset, std::size_t length) const {
    if (offset + length > bytes_.size()) throw std::out_of_range("table");
    return bytes_.substr(offset, length);
  }
  bool operator==(const Bytes&) const = default;

 private:
  std::string bytes_;
};

/// As much as there is.
Bytes bytes_at(int fd, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  std::size_t done = 0;
  while (done < length) {
    const auto got = pread(fd, bytes.data() + done, length - done,
                           static_cast<off_t>(offset + static_cast<std::uint64_t>(done)));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return Bytes(std::move(bytes));
}

struct L1 {
  std::uint64_t offset = 0;
  std::uint64_t entries = 0;
};

struct Entry {
  InternalSnapshot snapshot;
  L1 l1;
};

struct Table {
  L1 active;
  std::vector<Entry> entries;
};

Table parse(int fd, const Bytes& header) {
  Table table;
  table.active = {header.number(40, 8), header.number(36, 4)};
  const auto count = header.number(60, 4);
  auto at = header.number(64, 8);
  if (count > most_snapshots) throw std::out_of_range("count");
  std::size_t total = 0;
  for (std::uint64_t index = 0; index < count; ++index) {
    const auto entry = bytes_at(fd, at, entry_size);
    const auto id_size = entry.number(12, 2);
    const auto name_size = entry.number(14, 2);
    const auto extra_size = entry.number(36, 4);
    const auto length = extra_size + id_size + name_size;
    total += static_cast<std::size_t>(length) + entry_size;
    if (extra_size > 1024 || total > largest_table) throw std::out_of_range("size");
    const auto rest = bytes_at(fd, at + entry_size, static_cast<std::size_t>(length));
    Entry out;
    out.l1 = {entry.number(0, 8), entry.number(8, 4)};
    auto& snapshot = out.snapshot;
    snapshot.date = static_cast<std::int64_t>(entry.number(16, 4));
    snapshot.date_nanoseconds = static_cast<std::uint32_t>(entry.number(20, 4));
    snapshot.vm_state_size = extra_size >= 8 ? rest.number(0, 8) : entry.number(32, 4);
    snapshot.id =
        rest.text(static_cast<std::size_t>(extra_size), static_cast<std::size_t>(id_size));
    snapshot.tag = rest.text(static_cast<std::size_t>(extra_size + id_size),
                             static_cast<std::size_t>(name_size));
    table.entries.push_back(std::move(out));
    at += (entry_size + length + 7) / 8 * 8;
  }
  return table;
}

std::optional<Table> read_table(const std::string& path) {
  constexpr int attempts = 20;
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return std::nullopt;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const auto before = bytes_at(file.get(), 0, header_size);
    if (before.size() < header_size || before.text(0, 4) != "QFI\xfb") return std::nullopt;
    std::optional<Table> table;
    try {
      table = parse(file.get(), before);
    } catch (const std::out_of_range&) {  // NOLINT(bugprone-empty-catch)
      // Damaged, or replaced at this very moment.
    }
    if (bytes_at(file.get(), 0, header_size) != before) continue;
    if (table) return table;
    break;
  }
  throw Error("the table of snapshots in " + in_backticks(path) + " cannot be read")
      .help("`qemu-img check` says whether the file is damaged");
}

}  // namespace

std::vector<InternalSnapshot> read_internal_snapshots(const std::string& path) {
  std::vector<InternalSnapshot> out;
  if (auto table = read_table(path)) {
    for (auto& entry : table->entries) out.push_back(std::move(entry.snapshot));
  }
  return out;
}

const InternalSnapshot* find_snapshot(const std::vector<InternalSnapshot>& snapshots,
                                      const std::string& tag) {
  const auto found = std::find_if(snapshots.begin(), snapshots.end(),
                                  [&](const auto& each) { return each.tag == tag; });
  return found == snapshots.end() ? nullptr : &*found;
}

bool unchanged_since(const std::string& path, const std::string& tag) {
  const auto table = read_table(path);
  if (!table) return false;
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const auto read_l1 = [&](const L1& l1) {
    std::vector<std::uint64_t> out;
    if (l1.entries * 8 > largest_l1) return out;
    const auto bytes = bytes_at(file.get(), l1.offset, static_cast<std::size_t>(l1.entries * 8));
    // Bit 63 says that nobody else refers to the place, which two tables never agree on.
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8)
      out.push_back(bytes.number(at, 8) & ~(std::uint64_t{1} << 63U));
    // Beyond the disk's end lies the memory of a live snapshot, and then nothing.
    while (!out.empty() && out.back() == 0) out.pop_back();
    return out;
  };
  for (const auto& entry : table->entries) {
    if (entry.snapshot.tag == tag)
      return file && table->active.entries * 8 <= largest_l1 &&
             read_l1(entry.l1) == read_l1(table->active);
  }
  return false;
}

void make_internal_snapshot(const std::string& path, const std::string& tag) {
  QemuImg().run({"snapshot", "-q", "-c", tag, path},
                "cannot make a snapshot in " + in_backticks(path), path);
}

void take_up_internal_snapshot(const std::string& path, const std::string& tag) {
  QemuImg().run({"snapshot", "-q", "-a", tag, path},
                "cannot take up a snapshot in " + in_backticks(path), path);
}

void delete_internal_snapshot(const std::string& path, const std::string& tag) {
  QemuImg().run({"snapshot", "-q", "-d", tag, path},
                "cannot delete a snapshot in " + in_backticks(path), path);
}

void free_leaks(const std::string& path) {
  QemuImg().check(path, "qcow2", ImageRepair::leaks);
}

}  // namespace qlaunch
