// SPDX-License-Identifier: MIT
#include "envelope.hpp"

#include "qmp/error.hpp"
#include "wire.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace qmp {
namespace {

using nlohmann::json;

// QEMU itself refuses more. Without a limit, a hostile guest could have a value built that
// overflows the stack when it is printed: nlohmann's dump() is recursive.
constexpr std::size_t max_depth = 1024;

/// Receives the parser's events. Only what a caller may want to see becomes a json value: most
/// messages are events, and their outer object, name and time need none.
class Reader {
 public:
  explicit Reader(Envelope& envelope) : result_(envelope) {}

  // The names and the types are those that nlohmann's sax_parse() calls.
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  bool null() { return scalar(nullptr); }
  bool boolean(bool value) { return scalar(value); }
  bool number_integer(number_integer_t value) {
    if (in_time()) return time(value);
    return scalar(value);
  }
  bool number_unsigned(number_unsigned_t value) {
    if (depth_ == 1 && member_ == Member::id) {
      result_.id = value;
      result_.id_kind = Envelope::IdKind::number;
      return true;
    }
    if (in_time()) return time(static_cast<std::int64_t>(std::min<std::uint64_t>(value, far)));
    return scalar(value);
  }
  bool number_float(number_float_t value, const string_t&) { return scalar(value); }
  bool string(string_t& value) {
    if (depth_ == 1 && member_ == Member::event) {
      result_.event = std::move(value);
      result_.event_is_text = true;
      return true;
    }
    return scalar(std::move(value));
  }
  bool binary(binary_t&) { return false; }

  bool start_object(std::size_t) { return start(json::value_t::object); }
  bool start_array(std::size_t) { return start(json::value_t::array); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }

  bool key(string_t& name) {
    if (depth_ == 1) {
      member_ = member_of(name);
    } else if (!open_.empty()) {
      slot_ = &open_.back()->get_ref<json::object_t&>()[std::move(name)];
    } else if (member_ == Member::timestamp && depth_ == 2) {
      unit_ = name == "seconds" ? Unit::seconds : name == "microseconds" ? Unit::micros : Unit::no;
    }
    return true;
  }

  template <class Exception>
  bool parse_error(std::size_t, const std::string&, const Exception&) {
    return false;
  }

  [[nodiscard]] bool too_deep() const { return too_deep_; }
  [[nodiscard]] bool not_object() const { return not_object_; }

  [[nodiscard]] std::chrono::system_clock::time_point time() const {
    return std::chrono::system_clock::time_point(std::chrono::seconds(seconds_) +
                                                 std::chrono::microseconds(micros_));
  }

 private:
  enum class Member { other, id, value, error, event, data, timestamp, greeting };
  enum class Unit { no, seconds, micros };

  static constexpr std::int64_t far = 1LL << 33;  // past the year 2200, and safe to multiply

  Member member_of(std::string_view name) {
    if (name == "event") {
      result_.has_event = true;
      return Member::event;
    }
    if (name == "timestamp") return Member::timestamp;
    if (name == "data") return Member::data;
    if (name == "return") {
      result_.has_return = true;
      return Member::value;
    }
    if (name == "id") {
      result_.id_kind = Envelope::IdKind::other;
      return Member::id;
    }
    if (name == "error") {
      result_.has_error = true;
      return Member::error;
    }
    if (name == "QMP") {
      result_.has_greeting = true;
      return Member::greeting;
    }
    return Member::other;
  }

  /// Where the value of the present member is kept, null for one that is not.
  json* root() {
    switch (member_) {
      case Member::value:
        return &result_.value;
      case Member::error:
        return &result_.error;
      case Member::data:
        return &result_.data;
      case Member::greeting:
        return &result_.greeting;
      default:
        return nullptr;
    }
  }

  /// Puts a value where it belongs, and tells where that is; null where nobody wants it.
  json* put(json&& value) {
    json* place = nullptr;
    if (!open_.empty()) {
      auto* parent = open_.back();
      if (parent->is_array()) {
        auto& list = parent->get_ref<json::array_t&>();
        list.push_back(std::move(value));
        return &list.back();
      }
      place = slot_;
    } else if (depth_ == 1) {
      place = root();
    }
    if (place != nullptr) *place = std::move(value);
    return place;
  }

  template <class T>
  bool scalar(T&& value) {
    if (depth_ == 0) {
      not_object_ = true;
      return true;
    }
    if (!open_.empty() || (depth_ == 1 && root() != nullptr)) put(json(std::forward<T>(value)));
    return true;
  }

  bool start(json::value_t kind) {
    if (depth_ == 0 && kind != json::value_t::object) not_object_ = true;
    if (depth_ >= max_depth) {
      too_deep_ = true;
      return false;
    }
    if (depth_ >= 1) {
      if (auto* made = put(json(kind))) open_.push_back(made);
    }
    ++depth_;
    return true;
  }

  bool end() {
    --depth_;
    // What is kept is open from its first brace to its last: the two stacks shrink together.
    if (!open_.empty()) open_.pop_back();
    return true;
  }

  bool in_time() const { return member_ == Member::timestamp && depth_ == 2 && unit_ != Unit::no; }
  bool time(std::int64_t value) {
    // QEMU says -1 when its clock failed.
    (unit_ == Unit::seconds ? seconds_ : micros_) = std::clamp<std::int64_t>(value, 0, far);
    return true;
  }

  Envelope& result_;
  Member member_ = Member::other;
  Unit unit_ = Unit::no;
  std::size_t depth_ = 0;
  std::vector<json*> open_;  // the containers being filled, outermost first
  json* slot_ = nullptr;     // where the next value of the innermost object goes
  std::int64_t seconds_ = 0;
  std::int64_t micros_ = 0;
  bool too_deep_ = false;
  bool not_object_ = false;
};

}  // namespace

Envelope read_envelope(std::string_view line) {
  Envelope result;
  Reader reader(result);
  const bool complete = json::sax_parse(line.data(), line.data() + line.size(), &reader);
  if (reader.too_deep()) throw Malformed("the peer sent JSON nested deeper than 1024 levels");
  if (!complete) throw Malformed("the peer sent what is not JSON: `" + excerpt(line) + "`");
  if (reader.not_object()) {
    throw Malformed("the peer sent JSON that is not an object: `" + excerpt(line) + "`");
  }
  result.time = reader.time();
  return result;
}

}  // namespace qmp
