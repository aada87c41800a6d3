// SPDX-License-Identifier: MIT
#include "profile/syntax.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool alphanumeric(char c) {
  return digit(c) || letter(c);
}
bool control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

std::optional<Problem> digest(std::string_view text, std::size_t digits, std::string_view name) {
  const auto bad = std::find_if_not(text.begin(), text.end(), is_hexadecimal);
  if (bad != text.end()) {
    return Problem{in_backticks(std::string_view(&*bad, 1)) + " is not a hexadecimal digit",
                   {"a " + std::string(name) + " digest is " + std::to_string(digits) +
                    " digits of 0-9 and a-f"},
                   static_cast<std::size_t>(bad - text.begin()),
                   1};
  }
  if (text.size() != digits) {
    Problem problem{"a " + std::string(name) + " digest has " + std::to_string(digits) +
                        " digits, this has " + std::to_string(text.size()),
                    {}};
    if (text.size() == 64)
      problem.help.emplace_back("this looks like SHA-256: the key is `sha256`");
    if (text.size() == 128)
      problem.help.emplace_back("this looks like SHA-512: the key is `sha512`");
    return problem;
  }
  return std::nullopt;
}

bool valid_date(std::string_view text) {
  // "2026-01-31" or "2026-01-31T12:00:00", which is what QEMU reads.
  if (text.size() != 10 && text.size() != 19) return false;
  constexpr std::string_view form = "dddd-dd-ddTdd:dd:dd";
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (form[index] == 'd' ? !digit(text[index]) : text[index] != form[index]) return false;
  }
  const auto number = [&](std::size_t from, std::size_t length) {
    return parse_unsigned(text.substr(from, length)).value_or(0);
  };
  const auto month = number(5, 2);
  if (number(0, 4) < 1970 || month < 1 || month > 12 || number(8, 2) < 1) return false;
  constexpr unsigned long long days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (number(8, 2) > days[month - 1]) return false;
  return text.size() == 10 || (number(11, 2) < 24 && number(14, 2) < 60 && number(17, 2) < 60);
}

}  // namespace

std::optional<Problem> only_characters(std::string_view text, std::string_view others,
                                       std::string help) {
  const auto bad = std::find_if(text.begin(), text.end(), [&](char c) {
    return !alphanumeric(c) && others.find(c) == std::string_view::npos;
  });
  if (bad == text.end()) return std::nullopt;
  // A character of several bytes is shown whole.
  const auto offset = static_cast<std::size_t>(bad - text.begin());
  std::size_t length = 1;
  while (offset + length < text.size() &&
         (static_cast<unsigned char>(text[offset + length]) & 0xc0U) == 0x80)
    ++length;
  return Problem{
      in_backticks(text.substr(offset, length)) + " cannot stand in " + in_backticks(text),
      {std::move(help)},
      offset,
      length};
}

std::optional<Problem> check_not_empty(std::string_view text) {
  if (trim(text).empty())
    return Problem{"an empty string says nothing here", {"leave the key out for its default"}};
  return std::nullopt;
}

std::optional<Problem> check_vm_name(std::string_view text) {
  constexpr std::string_view rule =
      "a name is 1 to 64 letters, digits, `.`, `_` or `-`, and begins with a letter or a digit: it "
      "names folders";
  if (text.empty()) return Problem{"the name is empty", {std::string(rule)}};
  if (auto problem = only_characters(text, "._-", std::string(rule))) return problem;
  if (!alphanumeric(text[0]))
    return Problem{in_backticks(text) + " begins with " + in_backticks(text.substr(0, 1)),
                   {std::string(rule)},
                   0,
                   1};
  if (text.size() > 64)
    return Problem{"the name is " + std::to_string(text.size()) + " characters long",
                   {std::string(rule)}};
  return std::nullopt;
}

std::optional<Problem> check_element_name(std::string_view text) {
  constexpr std::string_view rule =
      "this name is 1 to 24 letters, digits, `_` or `-`, and begins with a letter: it becomes part "
      "of QEMU's ids";
  if (text.empty()) return Problem{"the name is empty", {std::string(rule)}};
  if (auto problem = only_characters(text, "_-", std::string(rule))) return problem;
  if (!letter(text[0]))
    return Problem{in_backticks(text) + " does not begin with a letter", {std::string(rule)}, 0, 1};
  if (text.size() > 24)
    return Problem{"the name is " + std::to_string(text.size()) + " characters long",
                   {std::string(rule)}};
  return std::nullopt;
}

std::optional<Problem> check_machine_type(std::string_view text) {
  if (auto problem = check_not_empty(text)) return problem;
  return only_characters(text, ".-_",
                         "use \"q35\", \"pc\", \"microvm\" or a versioned type such as "
                         "\"pc-q35-7.2\"; other options go to [qemu] args");
}

std::optional<Problem> check_rtc(std::string_view text) {
  if (text == "utc" || text == "localtime" || valid_date(text)) return std::nullopt;
  return Problem{
      in_backticks(text) + " is neither \"utc\" nor \"localtime\" nor a date",
      {"write a date as \"2026-01-31\" or \"2026-01-31T12:00:00\", without a time zone"}};
}

std::optional<Problem> check_uuid(std::string_view text) {
  constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  bool right = text.size() == form.size();
  for (std::size_t index = 0; right && index < form.size(); ++index)
    right = form[index] == 'x' ? is_hexadecimal(text[index]) : text[index] == '-';
  if (right) return std::nullopt;
  return Problem{in_backticks(text) + " is not a UUID",
                 {"write 32 hexadecimal digits, as in \"123e4567-e89b-12d3-a456-426614174000\""}};
}

std::optional<Problem> check_cpu_model(std::string_view text) {
  if (auto problem = check_not_empty(text)) return problem;
  return only_characters(text, "._-",
                         "give the model alone, as in \"host\", \"max\" or \"EPYC-v3\"; features "
                         "stand in `features = [\"+vmx\"]`");
}

std::optional<Problem> check_cpu_feature(std::string_view text) {
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-'))
    return Problem{in_backticks(text) + " does not say whether to add or to remove",
                   {"begin with + or -, as in \"+vmx\" or \"-pcid\""}};
  auto problem = only_characters(text.substr(1), "._-", "one feature to a string, as in \"+vmx\"");
  if (problem) ++problem->offset;
  return problem;
}

std::optional<Problem> check_one_line(std::string_view text) {
  const auto bad = std::find_if(text.begin(), text.end(), control);
  if (bad == text.end()) return std::nullopt;
  return Problem{"a line break or control character cannot stand here",
                 {"write the text on one line"},
                 static_cast<std::size_t>(bad - text.begin()),
                 1};
}

std::optional<Problem> check_serial_number(std::string_view text) {
  if (auto problem = check_not_empty(text)) return problem;
  return only_characters(text, "._-",
                         "a serial number is made of letters, digits, `.`, `_` and `-`: it names "
                         "/dev/disk/by-id in the guest");
}

std::optional<Problem> check_sha512(std::string_view text) {
  return digest(text, 128, "SHA-512");
}
std::optional<Problem> check_sha256(std::string_view text) {
  return digest(text, 64, "SHA-256");
}

std::optional<Problem> check_tag(std::string_view text) {
  if (text.empty()) return Problem{"the tag is empty", {"the guest mounts the share by its tag"}};
  const auto bad =
      std::find_if(text.begin(), text.end(), [](char c) { return control(c) || c == ' '; });
  if (bad == text.end()) return std::nullopt;
  return Problem{"a space or control character cannot stand in a tag",
                 {"the tag stands in the guest's fstab: use letters, digits, `-` and `_`"},
                 static_cast<std::size_t>(bad - text.begin()),
                 1};
}

std::optional<Problem> check_mount(std::string_view text) {
  if (text == "same") return std::nullopt;
  if (text.starts_with('/')) return check_one_line(text);
  return Problem{in_backticks(text) + " is not an absolute path",
                 {"write a path of the guest such as \"/mnt/work\", or \"same\" for the host's"}};
}

std::optional<Problem> check_user(std::string_view text) {
  constexpr std::string_view rule =
      "such a name is 1 to 32 lower-case letters, digits, `_` or `-`, the first no digit";
  const bool opens = !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || text[0] == '_');
  const bool rest = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || digit(c) || c == '_' || c == '-';
  });
  if (opens && rest && text.size() <= 32) return std::nullopt;
  return Problem{in_backticks(text) + " is not a name of a Unix user or group",
                 {std::string(rule)}};
}

std::optional<Problem> check_ssh_key(std::string_view text) {
  if (text == "auto") return std::nullopt;
  if (auto problem = check_one_line(text)) return problem;
  if (text.find_first_of("/~.$") == 0) return std::nullopt;
  for (const std::string_view kind : {"ssh-", "ecdsa-", "sk-"}) {
    if (text.starts_with(kind) && text.find(' ') != std::string_view::npos) return std::nullopt;
  }
  if (text.find("PRIVATE KEY") != std::string_view::npos)
    return Problem{"this is a private key", {"give the public one, the line of the .pub file"}};
  return Problem{
      "this is not a public ssh key",
      {"give the line of a .pub file, as in \"ssh-ed25519 AAAA… you@host\", its path, or "
       "\"auto\""}};
}

std::optional<Problem> check_timezone(std::string_view text) {
  if (auto problem = check_not_empty(text)) return problem;
  return only_characters(text, "/_+-", "write a name such as \"Europe/Berlin\" or \"UTC\"");
}

std::optional<Problem> check_locale(std::string_view text) {
  if (auto problem = check_not_empty(text)) return problem;
  return only_characters(text, "._@-", "write a name such as \"en_US.UTF-8\"");
}

std::optional<Problem> check_variable_name(std::string_view text) {
  constexpr std::string_view rule =
      "a variable's name is letters, digits and `_`, and does not begin with a digit";
  if (text.empty() || digit(text[0]))
    return Problem{in_backticks(text) + " is not a variable's name", {std::string(rule)}};
  return only_characters(text, "_", std::string(rule));
}

std::optional<Problem> check_credential_name(std::string_view text) {
  constexpr std::string_view rule =
      "a credential's name is letters, digits, `.`, `_`, `-` and `@`, as in "
      "\"ssh.authorized_keys.root\"";
  if (text.empty() || text.size() > 255)
    return Problem{in_backticks(text) + " is not a credential's name", {std::string(rule)}};
  return only_characters(text, "._-@", std::string(rule));
}

}  // namespace qlaunch
