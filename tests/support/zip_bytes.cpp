// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/zip_bytes.h"

namespace natscope::test {
namespace {

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += i < 8 ? static_cast<char>(value >> (8 * i) & 255U) : char{0};
  return text;
}

std::uint32_t checksum_of(std::string_view bytes) {
  std::uint32_t sum = 0xffffffffU;
  for (const char byte : bytes) {
    sum ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1U ^ ((sum & 1U) != 0 ? 0xedb88320U : 0U);
  }
  return ~sum;
}

/// What local and central headers have in common, from the flags to the length of the name.
std::string shared_fields(const ZipEntry& entry) {
  const auto size = static_cast<std::uint32_t>(entry.bytes.size());
  return little_endian(entry.flags, 2) + little_endian(entry.method, 2) + little_endian(0, 4) +
         little_endian(entry.checksum.value_or(checksum_of(entry.bytes)), 4) +
         little_endian(entry.stored_size.value_or(size), 4) + little_endian(entry.size.value_or(size), 4) +
         little_endian(entry.name.size(), 2);
}

}  // namespace

std::string zip_bytes(const std::vector<ZipEntry>& entries) {
  std::string file, directory;
  for (const ZipEntry& entry : entries) {
    const auto offset = static_cast<std::uint32_t>(file.size());
    file += "PK\3\4" + little_endian(20, 2) + shared_fields(entry) + little_endian(0, 2) + entry.name + entry.bytes;
    directory += "PK\1\2" + little_endian(20, 2) + little_endian(20, 2) + shared_fields(entry) +
                 little_endian(entry.extra.size(), 2) + little_endian(0, 10) +
                 little_endian(entry.offset.value_or(offset), 4) + entry.name + entry.extra;
  }
  const std::string count = little_endian(entries.size(), 2);
  const std::string end = "PK\5\6" + little_endian(0, 4) + count + count + little_endian(directory.size(), 4) +
                          little_endian(file.size(), 4) + little_endian(0, 2);
  return file + directory + end;
}

}  // namespace natscope::test
